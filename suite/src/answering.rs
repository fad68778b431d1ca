//! A program that is told what to do a line at a time, and says a line to each.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use crate::waiting::{Patient, lines};

/// It runs; killed and reaped when dropped.
pub struct Answering {
    /// The process.
    pub child: Child,
    commands: ChildStdin,
    answers: BufReader<Patient<ChildStdout>>,
}

impl Answering {
    /// Starts what the command says, with pipes for its input and output.
    pub fn start(command: &mut Command) -> Self {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let commands = child.stdin.take().unwrap();
        let answers = lines(child.stdout.take().unwrap());
        Self { child, commands, answers }
    }

    /// Its number.
    pub fn pid(&self) -> i32 {
        self.child.id().cast_signed()
    }

    /// The next line that it says.
    pub fn hear(&mut self) -> String {
        let mut line = String::new();
        let length = self.answers.read_line(&mut line).expect("it can be heard");
        assert!(length > 0, "it is gone: {:?}", self.child.try_wait());
        line.trim().to_owned()
    }

    /// Sends a line and gives the answer.
    pub fn tell(&mut self, line: &str) -> String {
        writeln!(self.commands, "{line}").expect("it listens");
        self.hear()
    }
}

impl Drop for Answering {
    fn drop(&mut self) {
        // It may have ended already, which is as good.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
