//! Who made a cgroup: told by its name, so that what a killed maker left behind can be removed.

use proc_memory::Process;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};

const PREFIX: &str = "brkhole-oom";

/// Who made a cgroup. A process id is given anew some day, together with the time of its start it
/// isn't; and it means something only in its own namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct CgroupMaker {
    pid_namespace: u64,
    pid: u32,
    /// Clock ticks since the machine's start.
    started: u64,
}

impl CgroupMaker {
    /// This process.
    pub(super) fn this() -> io::Result<Self> {
        let pid = std::process::id();
        let started = started(pid).ok_or_else(|| {
            io::Error::other("/proc/self/stat is not as proc_pid_stat(5) describes it")
        })?;
        Ok(Self {
            pid_namespace: pid_namespace()?,
            pid,
            started,
        })
    }

    /// A name that nobody else gives, and that is new each time.
    pub(super) fn new_name(self) -> String {
        static NUMBER: AtomicU32 = AtomicU32::new(1);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let Self {
            pid_namespace,
            pid,
            started,
        } = self;
        format!("{PREFIX}-{pid_namespace}-{pid}-{started}-{number}")
    }

    /// Who gave this name; `None` when none of us did.
    pub(super) fn of(name: &str) -> Option<Self> {
        let mut fields = name.strip_prefix(PREFIX)?.strip_prefix('-')?.split('-');
        let maker = Self {
            pid_namespace: fields.next()?.parse().ok()?,
            pid: fields.next()?.parse().ok()?,
            started: fields.next()?.parse().ok()?,
        };
        fields.next()?.parse::<u32>().ok()?;
        fields.next().is_none().then_some(maker)
    }

    /// Whether it is certain that this process doesn't exist any more: of another namespace's
    /// processes that can't be known here.
    pub(super) fn is_gone(self) -> bool {
        pid_namespace().is_ok_and(|here| here == self.pid_namespace)
            && started(self.pid) != Some(self.started)
    }
}

/// Removes the cgroups at this place whose maker was killed together with its guard, and only them.
/// Gives their names.
///
/// Their process is dead too, since it dies with its parent, so they are empty. Only rmdir(2) is
/// tried, which the kernel refuses for a cgroup that holds a process.
pub(super) fn remove_leftovers(place: &Path) -> Vec<String> {
    let Ok(entries) = fs::read_dir(place) else {
        return Vec::new();
    };
    entries
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| CgroupMaker::of(name).is_some_and(CgroupMaker::is_gone))
        .filter(|name| fs::remove_dir(place.join(name)).is_ok())
        .collect()
}

fn pid_namespace() -> io::Result<u64> {
    Ok(fs::metadata("/proc/self/ns/pid")?.ino())
}

/// When it started; `None` for a process that is gone or has ended.
fn started(pid: u32) -> Option<u64> {
    let process = Process::open(pid.cast_signed()).ok()?;
    let started = process.stat().ok()?.started_ticks;
    process.is_alive().then_some(started)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_tells_its_maker() {
        let this = CgroupMaker::this().unwrap();
        let name = this.new_name();
        assert_ne!(this.new_name(), name);
        assert_eq!(CgroupMaker::of(&name), Some(this));
        assert!(!this.is_gone());
        let ended = CgroupMaker {
            started: this.started + 1,
            ..this
        };
        assert!(ended.is_gone(), "the id was given anew");
        let elsewhere = CgroupMaker {
            pid_namespace: 1,
            ..ended
        };
        assert!(!elsewhere.is_gone(), "that can't be known from here");
    }

    #[test]
    fn other_names_are_nobodys() {
        for name in [
            "system.slice",
            "brkhole-oom",
            "brkhole-oom-1-2-3",
            "brkhole-oom-1-2-3-4-5",
            "brkhole-oom-1-2-3-x",
        ] {
            assert_eq!(CgroupMaker::of(name), None, "{name}");
        }
    }
}
