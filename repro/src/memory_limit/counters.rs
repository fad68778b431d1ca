//! What the kernel counts of a cgroup.

use super::hierarchy::CgroupVersion;
use serde::{Deserialize, Serialize};
use std::fs;
use std::path::Path;

/// A cgroup's own counters at one moment. What this kernel doesn't count is `None`.
///
/// # References
///
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

/// The number behind a name, in a file of lines `name number`.
pub(super) fn field(text: &str, name: &str) -> Option<u64> {
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line?.trim().parse().ok()
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
        assert_eq!(
            (v2.oom_kill, v2.oom, v2.limit_met),
            (Some(1), Some(1), Some(7))
        );
        assert_eq!(v2.usage_bytes, Some(4096));
        assert_eq!(v2.peak_usage_bytes, None, "an older kernel has none");
        assert!(v2.oom_killed_since(&CgroupCounters {
            oom_kill: Some(0),
            ..v2
        }));
        assert!(!v2.oom_killed_since(&v2));

        write(
            "memory.oom_control",
            "oom_kill_disable 0\nunder_oom 0\noom_kill 2\n",
        );
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
