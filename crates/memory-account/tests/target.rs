//! A program that runs, its account, and what the kernel says of it.

use std::ops::RangeInclusive;
use std::process::Command;

use memory_account::{Account, Kind, Row};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use proc_memory::{Process, Snapshot, Status, WeighedMapping, page_size_bytes};
use ptmalloc::{Examination, Examiner};
use suite::answering::Answering;

pub const MIB: u64 = 1 << 20;

/// A program that says `ready` and waits from then on.
pub struct Target {
    pub program: Answering,
    pub process: Process,
    pub malloc: Examination,
}

impl Target {
    pub fn start(command: &mut Command) -> Self {
        command.env_remove("LD_PRELOAD").env_remove("GLIBC_TUNABLES");
        let mut program = Answering::start(command);
        while program.hear() != "ready" {}
        Self::of(program)
    }

    /// One that has said all that it says.
    pub fn of(program: Answering) -> Self {
        let process = Process::open(program.pid()).unwrap();
        let malloc = Examiner::new().examine(&process);
        Self { program, process, malloc }
    }

    /// After an account.
    pub fn goes_on(&self) {
        kill(Pid::from_raw(self.program.pid()), Signal::SIGCONT).unwrap();
    }

    /// Its account, which adds up to what the kernel says. It stands still from then on.
    pub fn account(&self) -> Account {
        // Threads of a runtime's own may be at work; here the sum is to be that of one moment.
        let pid = Pid::from_raw(self.program.pid());
        kill(pid, Signal::SIGSTOP).unwrap();
        let threads = format!("/proc/{pid}/task");
        let stopped = || {
            let mut threads = std::fs::read_dir(&threads).unwrap().map(|thread| thread.unwrap());
            threads.all(|thread| {
                let status = Status::parse(std::fs::read(thread.path().join("status")).unwrap());
                status.state() == 'T'
            })
        };
        suite::waiting::eventually("it is stopped", stopped);
        let account = Account::of(&self.process, &self.malloc).unwrap();
        let kernel = Snapshot::of(self.program.pid()).unwrap();
        let mappings = WeighedMapping::all(&self.process).unwrap().len() as u64;
        for (ours, theirs) in
            [(account.rss_bytes(), kernel.rss_bytes), (account.swap_bytes(), kernel.swap_bytes)]
        {
            let difference = ours.abs_diff(theirs);
            assert!(difference <= mappings * page_size_bytes(), "{ours} {theirs}: {account:?}");
        }
        account
    }
}

/// The row of an owner, which there is.
pub fn row<'a>(account: &'a Account, owner: &str) -> &'a Row {
    let row = account.rows.iter().find(|row| row.owner == owner);
    row.unwrap_or_else(|| panic!("no {owner}: {account:#?}"))
}

/// As much as this and less than a MiB more.
pub fn about(mib: u64) -> RangeInclusive<u64> {
    mib * MIB..=(mib + 1) * MIB
}

pub fn of(account: &Account, kind: Kind) -> u64 {
    account.of_kind(kind)
}
