//! Starts the program, and finds what belongs to it: its cgroups by their names, its processes by a
//! variable that they inherit.

use crate::common::{bundle, skipped};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
pub use suite::waiting::until;

/// The program.
pub const OOM: &str = env!("CARGO_BIN_EXE_oom");

const MARK: &str = "OOM_TEST_MARK";

/// Whether there is a bundle, and a cgroup may be made; a test that needs both says so if not.
pub fn permitted() -> bool {
    static REFUSAL: OnceLock<Option<String>> = OnceLock::new();
    if bundle().is_none() {
        return false;
    }
    let refusal = REFUSAL.get_or_init(|| {
        let arguments = ["--budget", "16MiB", "--locations", "1", "--repeats", "1"];
        let output = Command::new(OOM).args(arguments).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(
            output.status.success() || said.contains("no memory cgroup can be made here"),
            "{said}"
        );
        (!output.status.success()).then_some(said)
    });
    if let Some(refusal) = refusal {
        skipped(refusal);
    }
    refusal.is_none()
}

/// A running program; it and what it started are killed with this value.
pub struct Running {
    process: Option<Child>,
    pid: u32,
    mark: String,
}

impl Running {
    pub fn start(arguments: &[&str]) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let mark = format!("{}.{number}", std::process::id());
        let process = Command::new(OOM)
            .args(arguments)
            .env(MARK, &mark)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        Self { pid: process.id(), process: Some(process), mark }
    }

    pub fn pid(&self) -> i32 {
        self.pid as i32
    }

    pub fn signal(&self, signal: i32) {
        send(self.pid(), signal);
    }

    /// Waits for its end.
    pub fn output(&mut self) -> Output {
        let process = self.process.take().expect("waited for once");
        process.wait_with_output().unwrap()
    }

    /// The cgroups that it has made and that are there now.
    pub fn groups(&self) -> Vec<PathBuf> {
        let pid = format!("-{}-", self.pid);
        let mut found = Vec::new();
        walk(Path::new("/sys/fs/cgroup"), &mut |directory, name| {
            if name.starts_with("brkhole-oom-") && name.contains(&pid) {
                found.push(directory.to_owned());
            }
        });
        found
    }

    /// The processes that it has started and that are there now, without itself.
    pub fn started(&self) -> Vec<i32> {
        let mark = format!("{MARK}={}\0", self.mark);
        let processes = fs::read_dir("/proc").unwrap().filter_map(|entry| {
            let pid: i32 = entry.ok()?.file_name().to_str()?.parse().ok()?;
            let environment = fs::read(format!("/proc/{pid}/environ")).ok()?;
            let environment = String::from_utf8_lossy(&environment).into_owned();
            environment.contains(&mark).then_some(pid)
        });
        processes.filter(|pid| *pid != self.pid()).collect()
    }

    /// Waits until its child works in a cgroup with at least so much memory. Gives the cgroup and
    /// the child.
    pub fn at_work(&self, bytes: u64) -> (PathBuf, i32) {
        until("its child works", || {
            let group = self.groups().into_iter().next()?;
            let procs = fs::read_to_string(group.join("cgroup.procs")).ok()?;
            let pid: i32 = procs.lines().next()?.parse().ok()?;
            let statm = fs::read_to_string(format!("/proc/{pid}/statm")).ok()?;
            let pages: u64 = statm.split(' ').nth(1)?.parse().ok()?;
            (pages * proc_memory::page_size_bytes() >= bytes).then_some((group, pid))
        })
    }

    /// Waits until nothing is left of it; fails when something stays.
    pub fn nothing_is_left(&self) {
        until("nothing is left", || {
            (self.groups().is_empty() && self.started().is_empty()).then_some(())
        });
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(mut process) = self.process.take() {
            let _ = process.kill();
            let _ = process.wait();
        }
        for pid in self.started() {
            send(pid, libc::SIGKILL);
        }
    }
}

pub fn send(pid: i32, signal: i32) {
    let status = Command::new("kill")
        .args([format!("-{signal}"), pid.to_string()])
        .stderr(Stdio::null())
        .status();
    assert!(status.is_ok());
}

/// All directories below one, with their names.
pub fn walk(directory: &Path, found: &mut impl FnMut(&Path, &str)) {
    let Ok(entries) = fs::read_dir(directory) else {
        return;
    };
    for entry in entries.flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            let path = entry.path();
            found(&path, &entry.file_name().to_string_lossy());
            walk(&path, found);
        }
    }
}

/// Runs it to a successful end: its JSON, when nothing is left of it.
pub fn results(arguments: &[&str]) -> Value {
    let mut running = Running::start(&[arguments, &["--format", "json"]].concat());
    let output = running.output();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(running.groups(), Vec::<PathBuf>::new());
    assert_eq!(running.started(), Vec::<i32>::new());
    serde_json::from_slice(&output.stdout).unwrap()
}

/// An arm of the results.
pub fn arm<'a>(results: &'a Value, name: &str) -> &'a Value {
    let arms = results["arms"].as_array().unwrap();
    arms.iter().find(|arm| arm["name"] == name).unwrap()
}

/// The kinds of the findings.
pub fn kinds(results: &Value) -> Vec<&str> {
    let findings = results["findings"].as_array().unwrap();
    findings.iter().map(|finding| finding["kind"].as_str().unwrap()).collect()
}
