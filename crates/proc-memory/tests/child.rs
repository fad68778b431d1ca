//! Runs `child.c`, whose memory is known to the byte.

use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child as Process, ChildStdin, ChildStdout, Command, Stdio};

use suite::waiting::{Patient, lines};

use crate::compiled;

pub const MIB: u64 = 1 << 20;

/// A child that waits for its next command; killed and reaped when dropped.
pub struct Child {
    pub process: Process,
    commands: ChildStdin,
    answers: BufReader<Patient<ChildStdout>>,
}

impl Child {
    pub fn start() -> Self {
        let mut process = Command::new(program())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the compiled child starts");
        let commands = process.stdin.take().unwrap();
        let answers = lines(process.stdout.take().unwrap());
        let mut child = Self { process, commands, answers };
        child.warm_up();
        child
    }

    pub fn pid(&self) -> i32 {
        i32::try_from(self.process.id()).unwrap()
    }

    /// Sends a command and gives its answer. The child then waits in `read`.
    pub fn tell(&mut self, command: impl AsRef<[u8]>) -> u64 {
        let line = [command.as_ref(), b"\n"].concat();
        self.commands.write_all(&line).expect("the child listens");
        let mut answer = String::new();
        self.answers.read_line(&mut answer).expect("the child answers");
        answer.trim().parse().unwrap_or_else(|_| panic!("the child said {answer:?}"))
    }

    /// Replaces the program by a fresh copy of itself.
    pub fn exec(&mut self) {
        self.commands.write_all(b"x\n").expect("the child listens");
        self.warm_up();
    }

    /// Runs every path once that a test measures, so that its first faults on code and stack are
    /// over.
    fn warm_up(&mut self) {
        self.tell(format!("m {MIB}"));
        self.tell("t");
        self.tell("u");
        self.tell("b");
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // It may have ended already, which is as good.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Compiles the child.
fn program() -> PathBuf {
    compiled("child.c", "weighed-child", &["-O1"])
}
