//! Which program a process runs, and with which rights: what is called in it was meant for that one.
//!
//! Between the look and the hold a process may execute another program, which may have another
//! owner's rights (set-user-ID), and with the randomisation of addresses off (`setarch -R`) that
//! lies where the old one did. So both are compared while the process is held, when it can't change
//! any more.
//!
//! # References
//! execve(2); getauxval(3), `AT_RANDOM`; `fs/binfmt_elf.c` (`create_elf_tables`: sixteen fresh random
//! bytes for every program); proc_pid_status(5)

use std::fs::{self, File};
use std::os::unix::fs::{FileExt, MetadataExt};

use anyhow::Context;
use proc_memory::Process;

/// Lines of `/proc/PID/status` that tell what a process may do. It can give up rights without
/// executing anything.
const RIGHTS: [&str; 10] = [
    "Uid:",
    "Gid:",
    "Groups:",
    "CapInh:",
    "CapPrm:",
    "CapEff:",
    "CapBnd:",
    "CapAmb:",
    "NoNewPrivs:",
    "Seccomp:",
];

/// A program that a process runs, and its rights.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ProgramIdentity {
    /// When the process started. Its number alone may be another's by now.
    started_ticks: u64,
    /// Device and inode of the program's file.
    file: (u64, u64),
    /// What the kernel told it when it began: addresses, its owner, whether it has more rights than
    /// who executed it.
    told: Vec<u8>,
    /// Sixteen bytes that the kernel draws anew for every program.
    drawn: [u8; 16],
    rights: Vec<String>,
}

impl ProgramIdentity {
    /// That of a process, now.
    ///
    /// # Errors
    /// If the process has ended, is executing a program right now, or may not be looked at.
    pub(super) fn of(process: &Process) -> anyhow::Result<Self> {
        let pid = process.pid();
        let path = |name: &str| format!("/proc/{pid}/{name}");
        let read = |name: &str| fs::read(path(name)).with_context(|| format!("can't read {name}"));
        let file = fs::metadata(path("exe")).context("can't look at its program")?;
        let told = read("auxv")?;
        let mut drawn = [0; 16];
        let place = random(&told).context("the kernel gave it no random bytes (AT_RANDOM)")?;
        let memory = File::open(path("mem")).context("can't open its memory")?;
        memory.read_exact_at(&mut drawn, place).context("can't read its memory")?;
        let status = read("status")?;
        let status = String::from_utf8_lossy(&status);
        let is_right = |line: &&str| RIGHTS.iter().any(|name| line.starts_with(name));
        Ok(Self {
            file: (file.dev(), file.ino()),
            told,
            drawn,
            rights: status.lines().filter(is_right).map(str::to_owned).collect(),
            // Last: as long as the process that is meant is there, its number is nobody else's.
            started_ticks: process.stat()?.started_ticks,
        })
    }

    /// What is different of another one; `None` if nothing is.
    pub(super) fn differs_from(&self, other: &Self) -> Option<&'static str> {
        let with_its_rights = Self { rights: other.rights.clone(), ..self.clone() };
        if with_its_rights != *other {
            return Some("it had executed another program since it was looked at");
        }
        (self.rights != other.rights).then_some("its rights had changed since it was looked at")
    }
}

/// Where the random bytes are, among what the kernel told the program: pairs of words.
fn random(told: &[u8]) -> Option<u64> {
    const AT_RANDOM: u64 = 25;
    let (words, _) = told.as_chunks::<8>();
    let mut pairs = words.chunks_exact(2);
    let found = pairs.find(|pair| u64::from_le_bytes(pair[0]) == AT_RANDOM)?;
    Some(u64::from_le_bytes(found[1]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn own() -> Process {
        Process::open(std::process::id() as i32).unwrap()
    }

    #[test]
    fn it_stays_the_same() {
        let (before, after) =
            (ProgramIdentity::of(&own()).unwrap(), ProgramIdentity::of(&own()).unwrap());
        assert_eq!(before.differs_from(&after), None);
        assert!(before.rights.len() >= 9, "{before:?}");
        assert_ne!(before.drawn, [0; 16]);
    }

    #[test]
    fn each_part_counts() {
        let program = ProgramIdentity::of(&own()).unwrap();
        let changed = |change: fn(&mut ProgramIdentity)| {
            let mut other = program.clone();
            change(&mut other);
            program.differs_from(&other).unwrap_or_default()
        };
        let changes: [fn(&mut ProgramIdentity); 4] = [
            // The number is another process's by now.
            |program| program.started_ticks += 1,
            |program| program.file.1 += 1,
            |program| program.told[8] ^= 1,
            // The same file at the same addresses, executed once more.
            |program| program.drawn[15] ^= 1,
        ];
        for change in changes {
            assert!(changed(change).contains("another program"));
        }
        for name in RIGHTS {
            let change = |program: &mut ProgramIdentity| {
                let line = program.rights.iter_mut().find(|line| line.starts_with(name));
                line.map(|line| line.push('1')).is_some()
            };
            let mut other = program.clone();
            if change(&mut other) {
                let why = program.differs_from(&other).unwrap_or_default();
                assert!(why.contains("rights"), "{name}");
            }
        }
    }
}
