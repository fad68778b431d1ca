//! Programs to be trimmed, and trimming them.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Output, Stdio};
use std::time::Instant;

use serde_json::Value;
use suite::waiting::{PATIENCE, Patient, ended, lines};

use crate::common;

/// A program that says a line and waits for one; it ends with the test.
pub struct Target {
    child: Child,
    /// `None` once it was told to end.
    input: Option<ChildStdin>,
    lines: BufReader<Patient<ChildStdout>>,
}

impl Target {
    /// Starts `tests/programs/trim_NAME.c` and waits for its first line.
    pub fn started(name: &str, arguments: &[&str], first_line: &str) -> Self {
        let program = common::compiled(&format!("trim_{name}"));
        Self::of(Command::new(program).args(arguments), first_line)
    }

    /// Starts a command and waits for its first line.
    pub fn of(command: &mut Command, first_line: &str) -> Self {
        let mut child = command
            .env_remove("GLIBC_TUNABLES")
            .env_remove("MALLOC_ARENA_MAX")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let input = child.stdin.take();
        let lines = lines(child.stdout.take().expect("it has a standard output"));
        let mut target = Self { child, input, lines };
        target.says(first_line);
        target
    }

    pub fn pid(&self) -> i32 {
        self.child.id() as i32
    }

    /// Reads its next line, which has to be this one.
    pub fn says(&mut self, expected: &str) {
        let mut line = String::new();
        self.lines.read_line(&mut line).expect("it can be read");
        assert_eq!(line.trim_end(), expected, "process {}", self.pid());
    }

    /// Gives it a line.
    pub fn nudge(&mut self) {
        let input = self.input.as_mut().expect("it wasn't told to end");
        input.write_all(b"\n").expect("it listens");
    }

    /// Has it look whether all is well.
    pub fn is_well(&mut self) {
        self.nudge();
        self.says("well");
    }

    /// Has it end by itself, which has to succeed.
    pub fn ends(mut self) {
        self.input = None;
        let status = ended(&mut self.child);
        assert!(status.success(), "{status}");
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: i32) {
        send(self.pid(), &format!("-{signal}"));
    }

    /// Waits for its end, which has to succeed.
    pub fn ended(&mut self) {
        let status = ended(&mut self.child);
        assert!(status.success(), "{status}");
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// `brkhole trim` with these arguments, to its end.
pub fn trim(arguments: &[&str]) -> Output {
    common::output(&[&["trim"], arguments].concat())
}

/// The same with `--format json`: exit status and report, of one process each.
pub fn reports(arguments: &[&str]) -> (i32, Vec<Value>) {
    let output = trim(&[&["--format", "json"], arguments].concat());
    let status = output.status.code().expect("no signal ended it");
    (status, reports_of(&output))
}

/// The reports that were written with `--format json`.
pub fn reports_of(output: &Output) -> Vec<Value> {
    let reports: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| {
        let complaint = String::from_utf8_lossy(&output.stderr);
        panic!("{error}: {complaint}")
    });
    reports["processes"].as_array().expect("a list").clone()
}

/// Starts to trim a process, with patience for as long as any test takes.
pub fn trimming(target: &Target, arguments: &[&str]) -> Child {
    let pid = target.pid().to_string();
    let plain = common::brkhole(&[&["trim", "--patience", "600"], arguments, &[&pid]].concat());
    // Whoever runs the tests may ignore signals (nohup), and a program keeps to that.
    let mut command = Command::new("env");
    command.arg("--default-signal").arg(plain.get_program());
    command.args(plain.get_args()).stdin(Stdio::null());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().expect("env is there")
}

/// Sends a process a signal of this name, such as `-INT`.
pub fn send(pid: i32, name: &str) {
    let status = Command::new("kill").args([name, &pid.to_string()]).status();
    assert!(status.expect("kill is there").success());
}

/// Trims one process, which has to succeed.
pub fn trimmed(pid: i32) -> Value {
    let (status, mut reports) =
        reports(&["--patience", "60", "--max-hold", "60", &pid.to_string()]);
    let report = reports.remove(0);
    assert_eq!(status, 0, "{report:#}");
    assert_eq!(report["outcome"], "trimmed");
    report
}

/// What wasn't done, and why: it has to be refused with these words.
pub fn refused(pid: i32, words: &[&str]) {
    refused_by(&mut common::brkhole(&["trim", &pid.to_string()]), words);
}

/// The same for a command of one's own.
pub fn refused_by(command: &mut Command, words: &[&str]) {
    let output = command.output().expect("the command starts");
    let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{complaint}");
    for word in words {
        assert!(complaint.contains(word), "{word}: {complaint}");
    }
}

/// A figure of a report.
pub fn figure(report: &Value, name: &str) -> u64 {
    let figure = report[name].as_u64();
    figure.unwrap_or_else(|| panic!("{name} is a number: {report:#}"))
}

/// Whether what was given back is what was predicted, to 1 % or 256 KiB.
pub fn assert_as_predicted(report: &Value) {
    let predicted = figure(report, "predicted_bytes");
    let returned = figure(report, "returned_bytes");
    let most = (predicted / 100).max(256 << 10);
    assert!(
        predicted.abs_diff(returned) <= most,
        "predicted {predicted}, given back {returned}: {report:#}"
    );
}

/// The tracer of a process, 0 if there is none.
pub fn tracer(pid: i32) -> i32 {
    status(pid, "TracerPid:").parse().expect("a number")
}

/// Waits until a process is held, for however short a time. Seized it may run on for a moment.
pub fn wait_for_hold(pid: i32) {
    let start = Instant::now();
    while tracer(pid) == 0 || state(pid) != 't' {
        assert!(start.elapsed() < PATIENCE, "{pid} is never held");
        std::thread::yield_now();
    }
}

/// The state of a process, such as `R`.
pub fn state(pid: i32) -> char {
    status(pid, "State:").chars().next().expect("a letter")
}

fn status(pid: i32, name: &str) -> String {
    let status = std::fs::read_to_string(Path::new("/proc").join(pid.to_string()).join("status"));
    let status = status.expect("it is there");
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    line.expect("it has such a line").trim().to_owned()
}

/// Whether these tests are root's.
pub fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0)
}
