//! A process that does with its heap what it is told, and is quiet in between.

use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use heap_meter::malloc::{Examination, Examiner, State};
use heap_meter::process::Process;
use heap_meter::snapshot::Snapshot;

use super::compiled::compiled;

pub const KIB: u64 = 1024;

/// The program that is told what to do.
pub fn quiet() -> PathBuf {
    compiled("malloc/programs/quiet.c", "malloc-quiet", &["-O1"])
}

/// A process that answers each line with one; killed and reaped when dropped.
pub struct Target {
    child: Child,
    commands: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Target {
    pub fn start() -> Self {
        Self::of(&mut Command::new(quiet()))
    }

    pub fn of(command: &mut Command) -> Self {
        let mut child = command
            .env_remove("GLIBC_TUNABLES")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let commands = child.stdin.take().unwrap();
        let answers = BufReader::new(child.stdout.take().unwrap());
        Self {
            child,
            commands,
            answers,
        }
    }

    pub fn pid(&self) -> i32 {
        self.child.id() as i32
    }

    pub fn child(&mut self) -> &mut Child {
        &mut self.child
    }

    /// Sends a line and gives the answer.
    pub fn tell(&mut self, command: &str) -> String {
        writeln!(self.commands, "{command}").expect("the target listens");
        self.hear()
    }

    /// The next line that it says.
    pub fn hear(&mut self) -> String {
        let mut answer = String::new();
        let length = self
            .answers
            .read_line(&mut answer)
            .expect("it can be heard");
        assert!(
            length > 0,
            "the target is gone: {:?}",
            self.child.try_wait()
        );
        answer.trim().to_owned()
    }

    /// Sends a line to which the answer has to be "ok".
    pub fn told(&mut self, command: &str) {
        assert_eq!(self.tell(command), "ok", "{command}");
    }

    pub fn examine(&self) -> Examination {
        Examiner::new().examine(&Process::open(self.pid()).unwrap())
    }

    pub fn state(&self) -> State {
        self.examine().state.unwrap()
    }

    pub fn rss_bytes(&self) -> u64 {
        Snapshot::of(self.pid()).unwrap().rss_bytes
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
