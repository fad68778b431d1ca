//! Names of cgroups, from which it can be told whether their maker is still there.

use std::fs;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};

const PREFIX: &str = "brkhole-oom";

/// Who made a cgroup. A process id is given anew some day, together with the time of its start it
/// isn't; and it means something only in its own namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Maker {
    pid_namespace: u64,
    pid: u32,
    /// Clock ticks since the machine's start.
    started: u64,
}

impl Maker {
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

fn pid_namespace() -> io::Result<u64> {
    use std::os::unix::fs::MetadataExt;
    Ok(fs::metadata("/proc/self/ns/pid")?.ino())
}

/// Field 22 of `/proc/PID/stat`; `None` for a process that is gone or has ended.
fn started(pid: u32) -> Option<u64> {
    let stat = fs::read(Path::new("/proc").join(pid.to_string()).join("stat")).ok()?;
    let after_name = stat.iter().rposition(|byte| *byte == b')')? + 1;
    let mut fields = std::str::from_utf8(&stat[after_name..])
        .ok()?
        .split_ascii_whitespace();
    let state = fields.next()?;
    let started = fields.nth(18)?.parse().ok()?;
    (!matches!(state, "Z" | "X")).then_some(started)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_tells_its_maker() {
        let this = Maker::this().unwrap();
        let name = this.new_name();
        assert_ne!(this.new_name(), name);
        assert_eq!(Maker::of(&name), Some(this));
        assert!(!this.is_gone());
        let ended = Maker {
            started: this.started + 1,
            ..this
        };
        assert!(ended.is_gone(), "the id was given anew");
        let elsewhere = Maker {
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
            assert_eq!(Maker::of(name), None, "{name}");
        }
    }
}
