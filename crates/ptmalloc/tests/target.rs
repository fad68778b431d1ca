//! A process that does with its heap what it is told, and is quiet in between.

use std::ops::{Deref, DerefMut};
use std::path::PathBuf;
use std::process::Command;

use proc_memory::Process;
use proc_memory::Snapshot;
use ptmalloc::{Examination, Examiner, HeapState};

use crate::compiled;
use suite::answering::Answering;
use suite::waiting::eventually;

pub const KIB: u64 = 1024;

/// The program that is told what to do.
pub fn quiet() -> PathBuf {
    compiled("programs/quiet.c", "malloc-quiet", &["-O1"])
}

/// A process that answers each line with one, and can be looked into.
pub struct Target(Answering);

impl Target {
    pub fn start() -> Self {
        Self::of(&mut Command::new(quiet()))
    }

    pub fn of(command: &mut Command) -> Self {
        Self(Answering::start(command.env_remove("GLIBC_TUNABLES")))
    }

    /// Sends a line to which the answer has to be "ok".
    pub fn told(&mut self, command: &str) {
        assert_eq!(self.tell(command), "ok", "{command}");
    }

    pub fn examine(&self) -> Examination {
        Examiner::new().examine(&Process::open(self.pid()).unwrap())
    }

    /// The same once it waits for its next line: on a busy machine that is a while after it has
    /// answered, in which it may be in the middle of something.
    pub fn examine_waiting(&self) -> Examination {
        let process = Process::open(self.pid()).unwrap();
        eventually("it waits", || process.stat().unwrap().state == b'S');
        self.examine()
    }

    pub fn state(&self) -> HeapState {
        self.examine_waiting().state.unwrap()
    }

    pub fn rss_bytes(&self) -> u64 {
        Snapshot::of(self.pid()).unwrap().rss_bytes
    }
}

impl Deref for Target {
    type Target = Answering;

    fn deref(&self) -> &Answering {
        &self.0
    }
}

impl DerefMut for Target {
    fn deref_mut(&mut self) -> &mut Answering {
        &mut self.0
    }
}
