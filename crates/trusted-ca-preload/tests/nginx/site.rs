//! A site of nginx that runs with the library, and what the library said of it.

use std::ops::Deref;
use std::path::PathBuf;
use std::process::Command;

use suite::nginx::{self, Parts};

use crate::common::{Counts, Preload};

/// One that has a log for the library.
#[derive(Debug)]
pub struct Site(nginx::Site);

impl Deref for Site {
    type Target = nginx::Site;

    fn deref(&self) -> &nginx::Site {
        &self.0
    }
}

impl Site {
    /// `None`, after a word why, where nginx or its Lua module are missing.
    pub fn new(parts: &Parts) -> Option<Self> {
        nginx::Site::new(parts).map(Self)
    }

    /// The same with the machine's bundle for so many empty locations.
    pub fn with_the_line(locations: u64) -> Option<Self> {
        nginx::Site::with_the_line(locations).map(Self)
    }

    /// nginx with this configuration, run in this way.
    pub fn nginx(&self, preload: Preload) -> Command {
        let mut command = self.command();
        command.env("LC_ALL", "C").env("TRUSTED_CA_LOG", self.log()).env_remove("GLIBC_TUNABLES");
        preload.apply(&mut command);
        command
    }

    /// What the library said of this site's processes so far.
    pub fn counts(&self) -> Vec<Counts> {
        Counts::read(&self.log())
    }

    /// What it said of a master that has ended and of the process that started it, which reads
    /// the configuration before it goes to the background, together. Workers load nothing.
    pub fn counts_in_all(&self, master: i32) -> Counts {
        let counts = self.counts();
        let [starter, line] = counts.as_slice() else {
            panic!("the starter's and the master's lines were expected: {counts:?}");
        };
        assert_eq!(line.pid, master);
        for line in [starter, line] {
            assert_eq!(line.program, "nginx", "a title isn't a name");
        }
        let sum = |field: fn(&Counts) -> u64| field(starter) + field(line);
        Counts {
            loads: sum(|line| line.loads),
            parses: sum(|line| line.parses),
            shared: sum(|line| line.shared),
            bytes_spared: sum(|line| line.bytes_spared),
            passed_on: sum(|line| line.passed_on),
            ..line.clone()
        }
    }

    fn log(&self) -> PathBuf {
        self.path("trusted-ca.log")
    }
}
