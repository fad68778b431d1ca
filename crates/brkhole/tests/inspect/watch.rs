//! `--watch`.

use std::io::{BufRead, Read};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use suite::waiting::{ended, lines, until};

use crate::common::{brkhole, installed};
use crate::inspect::target::Keeps;

/// A running command; it ends with the value.
pub struct Running(Child);

impl Running {
    pub fn start(arguments: &[&str]) -> Self {
        let mut command = brkhole(arguments);
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        Self(child.expect("the command starts"))
    }

    pub fn lines(&mut self) -> impl Iterator<Item = String> {
        let stdout = self.0.stdout.take().expect("a pipe");
        lines(stdout).lines().map(|line| line.expect("text"))
    }

    pub fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.0.id() as i32), signal).expect("it runs");
    }

    pub fn status(&mut self) -> Option<i32> {
        ended(&mut self.0).code()
    }

    /// All that it says on standard error, until it ends.
    pub fn complaint(&mut self) -> String {
        let mut complaint = String::new();
        let stderr = self.0.stderr.as_mut().expect("a pipe");
        stderr.read_to_string(&mut complaint).expect("text");
        complaint
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What is in the file now, once there is one.
fn read(file: &Path) -> Value {
    let text = until("a file", || std::fs::read_to_string(file).ok());
    serde_json::from_str(&text).expect("a whole document")
}

#[test]
fn a_file_is_whole_whenever_it_is_read() {
    let target = Keeps::free(64);
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("report.json");
    let path = file.to_str().unwrap();
    let pid = target.number();
    for signal in [Signal::SIGINT, Signal::SIGTERM] {
        let mut watching =
            Running::start(&["inspect", "--watch", "0.002", "--format", "json", "-o", path, &pid]);
        let mut inodes = std::collections::BTreeSet::new();
        // Each time the file is another: so many were seen whole.
        while inodes.len() < 20 {
            let report = read(&file);
            assert_eq!(report["processes"][0]["pid"], target.pid());
            let metadata = std::fs::metadata(&file).unwrap();
            inodes.insert(metadata.modified().unwrap());
        }
        watching.signal(signal);
        assert_eq!(watching.status(), Some(0), "{signal}");
        let left: Vec<_> = std::fs::read_dir(directory.path()).unwrap().collect();
        assert_eq!(left.len(), 1, "{left:?}");
        read(&file);
    }
}

#[test]
fn a_document_a_line_until_the_last_has_ended() {
    let mut target = Keeps::free(64);
    let pid = target.number();
    let mut watching = Running::start(&["inspect", "--watch", "0.01", "--format", "json", &pid]);
    let mut seen = 0;
    for line in watching.lines() {
        let report: Value = serde_json::from_str(&line).expect("a document");
        if seen < 3 {
            assert_eq!(report["processes"][0]["pid"], target.pid());
        }
        seen += 1;
        if seen == 3 {
            target.end();
        }
    }
    assert!(seen >= 3);
    assert_eq!(watching.status(), Some(0), "that it ended is no failure");
}

#[test]
fn csv_has_one_header_and_tables_a_blank_line_between() {
    let target = Keeps::free(64);
    let pid = target.number();
    let mut watching = Running::start(&["inspect", "--watch", "0.01", "--format", "csv", &pid]);
    let lines: Vec<String> = watching.lines().take(4).collect();
    assert!(lines[0].starts_with("unix_seconds,pid,"), "{lines:?}");
    assert!(lines[1..].iter().all(|line| line.contains(&format!(",{pid},"))), "{lines:?}");
    // Nobody reads any more.
    assert_eq!(watching.status(), Some(0));

    let mut watching = Running::start(&["inspect", "--watch", "0.01", &pid]);
    let heading = format!("brkhole-keeps ({pid}): ");
    let mut before = String::new();
    let mut tables = 0;
    for line in watching.lines() {
        if line.starts_with(&heading) {
            assert_eq!(before, "");
            tables += 1;
        }
        if tables == 3 {
            break;
        }
        before = line;
    }
    assert_eq!(watching.status(), Some(0));
}

#[test]
fn one_that_was_never_there_is_a_failure() {
    let mut watching = Running::start(&["inspect", "--watch", "0.01", "99999999"]);
    assert_eq!(watching.status(), Some(1));
}

/// On a terminal each report takes the place of the one before, but for the last.
#[test]
fn the_last_report_stays_on_the_terminal() {
    const CLEAR: &str = "\x1b[H\x1b[2J";
    if !installed("script") {
        return;
    }
    let mut target = Keeps::free(64);
    let pid = target.number();
    let command = format!("{} inspect --watch 0.01 {pid}", env!("CARGO_BIN_EXE_brkhole"));
    let mut terminal = Command::new("script");
    terminal.args(["-qec", &command, "/dev/null"]).stdin(Stdio::null());
    let mut watching = Running(terminal.stdout(Stdio::piped()).spawn().unwrap());
    let mut shown = String::new();
    for line in watching.lines() {
        shown += &line;
        if shown.matches(CLEAR).count() == 3 {
            target.end();
        }
    }
    assert_eq!(watching.status(), Some(0));
    let last = shown.rsplit(CLEAR).next().unwrap();
    assert!(last.contains(&format!("brkhole-keeps ({pid}): ")), "{shown:?}");
}
