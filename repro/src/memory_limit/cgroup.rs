//! A memory cgroup for one child, and what the kernel counts of it.

use super::guard::{CgroupGuard, processes};
use super::hierarchy::{CgroupVersion, field};
use super::place;
use anyhow::{Context, ensure};
use serde::{Deserialize, Serialize};
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A memory cgroup with a limit that was read back. It is removed, with whatever is in it, when
/// this value is dropped or this process ends.
#[derive(Debug)]
pub(crate) struct MemoryCgroup {
    pub(crate) version: CgroupVersion,
    pub(crate) directory: PathBuf,
    pub(crate) limit_bytes: u64,
    /// What isn't as one would wish.
    pub(crate) notes: Vec<String>,
    // Last: what is above may still be needed while it removes.
    guard: CgroupGuard,
}

impl MemoryCgroup {
    /// Makes one.
    ///
    /// # Errors
    /// When there is no place for it, the budget isn't to be had there, or the limit isn't in
    /// force after it was set.
    pub(crate) fn make(budget: u64) -> anyhow::Result<Self> {
        let mut guard = CgroupGuard::start()?;
        let (version, directory, removed) = place::make(budget, &mut guard)?;
        let removed = removed.iter().map(|name| {
            format!(
                "removed the empty cgroup {name}, left over from a run that was killed with its keeper"
            )
        });
        let mut group =
            Self { version, directory, limit_bytes: 0, notes: removed.collect(), guard };
        group.limit(budget)?;
        Ok(group)
    }

    fn limit(&mut self, budget: u64) -> anyhow::Result<()> {
        let file = self.version.limit_file();
        self.write(file, budget)?;
        self.limit_bytes = self.read(file)?;
        let page_bytes = proc_memory::page_size_bytes();
        ensure!(
            self.limit_bytes == budget - budget % page_bytes,
            "{} was set to {budget}, but is {}: without its limit nothing is run",
            self.directory.join(file).display(),
            self.limit_bytes
        );
        self.without_swap(budget)?;
        self.with_oom_killer()
    }

    /// In v1 a cgroup above may have switched the OOM killer off, and this is inherited: the child would
    /// wait for ever.
    fn with_oom_killer(&self) -> anyhow::Result<()> {
        let file = "memory.oom_control";
        let text = fs::read_to_string(self.directory.join(file)).unwrap_or_default();
        match field(&text, "oom_kill_disable") {
            Some(1) => self.write(file, 0),
            _ => Ok(()),
        }
    }

    /// Memory that is swapped out isn't charged, so that it would not be killed but get slow.
    fn without_swap(&mut self, budget: u64) -> anyhow::Result<()> {
        let page_bytes = proc_memory::page_size_bytes();
        let (file, value) = match self.version {
            // Memory and swap together. A page more than memory alone, so that it is memory's limit
            // that is met: Linux 6.18 doesn't count it when this one is.
            CgroupVersion::V1 => ("memory.memsw.limit_in_bytes", budget.saturating_add(page_bytes)),
            CgroupVersion::V2 => ("memory.swap.max", 0),
        };
        if self.directory.join(file).exists() {
            return self.write(file, value);
        }
        let swaps = fs::read_to_string("/proc/swaps").unwrap_or_default();
        if swaps.lines().count() > 1 {
            self.notes.push(format!(
                "this kernel can't limit a cgroup's swap (no {file}), and the machine has some: more \
                 than the budget may fit"
            ));
        }
        Ok(())
    }

    /// A way in for the child.
    ///
    /// # Errors
    /// When its `cgroup.procs` can't be opened for writing.
    pub(crate) fn entrance(&self) -> anyhow::Result<File> {
        let path = self.directory.join("cgroup.procs");
        let processes = OpenOptions::new().write(true).open(&path);
        processes.with_context(|| format!("{}", path.display()))
    }

    /// Whether this process and no other is in it, and the limit is what it was.
    pub(crate) fn holds_only(&self, pid: i32) -> bool {
        let limit = self.read(self.version.limit_file());
        processes(&self.directory) == [pid] && limit.is_ok_and(|limit| limit == self.limit_bytes)
    }

    pub(crate) fn counters(&self) -> CgroupCounters {
        CgroupCounters::of(&self.directory, self.version)
    }

    /// Removes it now, with whatever is in it.
    ///
    /// # Errors
    /// When it is still there.
    pub(crate) fn remove(mut self) -> anyhow::Result<()> {
        self.guard.finish()
    }

    pub(crate) fn name(&self) -> String {
        let name = self.directory.file_name().unwrap_or_default();
        name.to_string_lossy().into_owned()
    }

    fn write(&self, file: &str, value: u64) -> anyhow::Result<()> {
        let path = self.directory.join(file);
        let opened = OpenOptions::new().write(true).open(&path);
        let written = opened.and_then(|mut file| write!(file, "{value}"));
        written.with_context(|| format!("can't write {value} to {}", path.display()))
    }

    fn read(&self, file: &str) -> anyhow::Result<u64> {
        let path = self.directory.join(file);
        let text = fs::read_to_string(&path).with_context(|| format!("{}", path.display()))?;
        let number = text.trim().parse();
        number.with_context(|| format!("{}: {}", path.display(), text.trim()))
    }
}

/// Has the child enter the cgroup by its open `cgroup.procs` before it executes its program, so that
/// its start is charged there too.
#[allow(unsafe_code)]
pub(crate) fn enter_before_exec(mut processes: File, command: &mut Command) {
    // SAFETY: between fork and exec only async-signal-safe calls may be made: this is one write(2) to
    // an open file, and an error that holds a number.
    unsafe { command.pre_exec(move || processes.write_all(b"0")) };
}

/// A cgroup's own counters at one moment. What this kernel doesn't count is `None`.
///
/// # References
/// Linux `Documentation/admin-guide/cgroup-v2.rst`, "Memory Interface Files"; `cgroup-v1/memory.rst`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CgroupCounters {
    /// Processes of this cgroup that the OOM killer has killed (v2 `oom_kill` of `memory.events`,
    /// v1 `oom_kill` of `memory.oom_control`).
    pub oom_kill: Option<u64>,
    /// How often nothing could be freed below the limit (v2 `oom`).
    pub oom: Option<u64>,
    /// How often the limit was met (v2 `max`, v1 `memory.failcnt`), page cache given back included.
    pub limit_met: Option<u64>,
    /// Bytes charged now.
    pub usage_bytes: Option<u64>,
    /// The most bytes that were ever charged (v2 since Linux 5.19).
    pub peak_usage_bytes: Option<u64>,
}

impl CgroupCounters {
    pub(super) fn of(group: &Path, version: CgroupVersion) -> Self {
        let number = |name: &str| {
            let text = fs::read_to_string(group.join(name)).ok()?;
            text.trim().parse().ok()
        };
        let text = |name: &str| fs::read_to_string(group.join(name)).unwrap_or_default();
        match version {
            CgroupVersion::V1 => Self {
                oom_kill: field(&text("memory.oom_control"), "oom_kill"),
                oom: None,
                limit_met: number("memory.failcnt"),
                usage_bytes: number("memory.usage_in_bytes"),
                peak_usage_bytes: number("memory.max_usage_in_bytes"),
            },
            CgroupVersion::V2 => {
                let events = text("memory.events");
                Self {
                    oom_kill: field(&events, "oom_kill"),
                    oom: field(&events, "oom"),
                    limit_met: field(&events, "max"),
                    usage_bytes: number("memory.current"),
                    peak_usage_bytes: number("memory.peak"),
                }
            }
        }
    }

    /// Whether the OOM killer killed in this cgroup since `before`.
    pub fn oom_killed_since(&self, before: &Self) -> bool {
        self.oom_kill > before.oom_kill
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_are_found_by_their_whole_name() {
        let events = "low 0\nhigh 0\nmax 41\noom 2\noom_kill 1\noom_group_kill 0\n";
        assert_eq!(field(events, "max"), Some(41));
        assert_eq!(field(events, "oom"), Some(2));
        assert_eq!(field(events, "oom_kill"), Some(1));
        assert_eq!(field(events, "peak"), None);
        let control = "oom_kill_disable 0\nunder_oom 0\noom_kill 3\n";
        assert_eq!(field(control, "oom_kill"), Some(3));
        assert_eq!(field("max max\n", "max"), None);
    }

    #[test]
    fn a_fixture_of_each_version_is_read() {
        let place = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| fs::write(place.path().join(name), text).unwrap();
        write("memory.events", "low 0\nhigh 0\nmax 7\noom 1\noom_kill 1\n");
        write("memory.current", "4096\n");
        let v2 = CgroupCounters::of(place.path(), CgroupVersion::V2);
        assert_eq!((v2.oom_kill, v2.oom, v2.limit_met), (Some(1), Some(1), Some(7)));
        assert_eq!(v2.usage_bytes, Some(4096));
        assert_eq!(v2.peak_usage_bytes, None, "an older kernel has none");
        assert!(v2.oom_killed_since(&CgroupCounters { oom_kill: Some(0), ..v2 }));
        assert!(!v2.oom_killed_since(&v2));

        write("memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 2\n");
        write("memory.failcnt", "12\n");
        write("memory.max_usage_in_bytes", "8192\n");
        let v1 = CgroupCounters::of(place.path(), CgroupVersion::V1);
        assert_eq!((v1.oom_kill, v1.limit_met), (Some(2), Some(12)));
        assert_eq!(v1.peak_usage_bytes, Some(8192));
    }

    #[test]
    fn a_counter_that_is_missing_proves_nothing() {
        let none = CgroupCounters::default();
        assert!(!none.oom_killed_since(&none));
    }
}
