//! The program that is held and called.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::time::Duration;

use suite::waiting::{Patient, ended, eventually, lines};

use crate::compiled;

/// Long enough for the busiest machine.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// A running `target.c`. It is killed when this goes.
pub struct Target {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<Patient<ChildStdout>>,
    addresses: HashMap<String, u64>,
}

impl Target {
    /// Starts it; it says `ready` and begins what the mode says.
    pub fn start(arguments: &[&str]) -> Self {
        let program = compiled("it/program/target.c", "remote-call-target", &["-O1", "-g"]);
        Self::of(Command::new(program).args(arguments))
    }

    pub fn of(command: &mut Command) -> Self {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut target = Self {
            input: child.stdin.take(),
            output: lines(child.stdout.take().unwrap()),
            child,
            addresses: HashMap::new(),
        };
        loop {
            let line = target.line();
            if line == "ready" {
                return target;
            }
            let (name, address) = line.split_once(" 0x").unwrap();
            let address = u64::from_str_radix(address, 16).unwrap();
            target.addresses.insert(name.into(), address);
        }
    }

    /// What it says next.
    pub fn line(&mut self) -> String {
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        line.trim_end().into()
    }

    pub fn pid(&self) -> i32 {
        self.child.id() as i32
    }

    pub fn at(&self, function: &str) -> u64 {
        self.addresses[function]
    }

    pub fn send(&self, signal: &str) {
        let status =
            Command::new("kill").args([&format!("-{signal}"), &self.pid().to_string()]).status();
        assert!(status.unwrap().success());
    }

    pub fn write(&mut self, bytes: &[u8]) {
        self.input.as_mut().unwrap().write_all(bytes).unwrap();
    }

    /// Value of a field of its status, or of a thread's.
    pub fn status(&self, field: &str) -> String {
        status(self.pid(), field)
    }

    /// Waits until it has come to a certain system call.
    pub fn wait_for_call(&self, number: i64) {
        let path = format!("/proc/{}/syscall", self.pid());
        let begins = format!("{number} ");
        eventually("it is in the call", || {
            std::fs::read_to_string(&path).unwrap().starts_with(&begins)
        });
    }

    /// Neither stopped nor traced.
    pub fn assert_it_runs(&self) {
        let state = self.status("State");
        assert!(state.starts_with(['R', 'S', 'D']), "{state}");
        assert_eq!(self.status("TracerPid"), "0");
    }

    /// Has it end, and gives what it said.
    pub fn finish(self) -> (ExitStatus, String) {
        self.assert_it_runs();
        self.send("TERM");
        self.wait()
    }

    /// Waits until it ends, and gives what it said.
    pub fn wait(mut self) -> (ExitStatus, String) {
        let mut text = String::new();
        self.output.read_to_string(&mut text).unwrap();
        (ended(&mut self.child), text)
    }

    /// Has it end; all its checks must have passed, with as many calls as are said.
    pub fn finish_well(self, calls: u64) {
        let (status, text) = self.finish();
        assert!(status.success(), "{status}: {text}");
        assert!(text.contains(&format!("calls {calls}\n")), "{text}");
    }
}

/// Value of a field of a process's status; empty if it is gone.
pub fn status(pid: i32, field: &str) -> String {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let mut lines = status.lines();
    let value = lines.find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
    value.unwrap_or_default().trim().into()
}

impl Drop for Target {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What `plain` of `target.c` returns.
pub fn plain(arguments: [u64; 6]) -> u64 {
    let weighted = (1..).zip(arguments).map(|(weight, value)| weight * value);
    0xdead_0000_0000 + weighted.sum::<u64>()
}
