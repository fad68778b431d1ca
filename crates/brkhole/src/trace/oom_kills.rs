//! Whether the OOM killer was at work during a run: the kernel counts whom it kills, for want of the
//! machine's memory or at a cgroup's limit.
//!
//! # References
//! Linux 6.18: `mm/oom_kill.c` (`__oom_kill_process`, `OOM_KILL`); `/proc/vmstat`;
//! `Documentation/admin-guide/cgroup-v2.rst`, `memory.events`

use heap_diagnosis::{Finding, Severity};
use heap_growth::Story;
use human_text::{Bytes, counted};

/// How many it had killed since the machine began; `None` where the kernel doesn't tell (before 4.13).
#[derive(Clone, Copy, Debug)]
pub(super) struct OomKills(Option<u64>);

impl OomKills {
    pub(super) fn so_far() -> Self {
        let counts = std::fs::read_to_string("/proc/vmstat").unwrap_or_default();
        let mut counts = counts.lines();
        let count = counts.find_map(|line| line.strip_prefix("oom_kill "));
        Self(count.and_then(|count| count.parse().ok()))
    }

    /// What follows for a run that began then: that a process of it was killed for want of memory is
    /// likely where some were killed, and the killer was at work.
    pub(super) fn finding(self, story: &Story) -> Option<Finding> {
        let kills = Self::so_far().0?.checked_sub(self.0?)?;
        let grown = u64::try_from(story.growth.peak().total()).unwrap_or(0);
        of(kills, story.killed(), grown)
    }
}

fn of(kills: u64, killed: u64, grown_bytes: u64) -> Option<Finding> {
    if kills == 0 || killed == 0 {
        return None;
    }
    let message = format!(
        "SIGKILL ended {} of the run, which had grown by {} at most, and meanwhile the kernel's OOM \
         killer killed {}: memory was short on the machine, or a cgroup was at its limit.",
        processes(killed),
        Bytes(grown_bytes),
        processes(kills),
    );
    Some(
        Finding::new("oom-killed", Severity::Critical, message)
            .evidence("killed_processes", killed)
            .evidence("oom_kills", kills)
            .evidence("peak_growth_bytes", grown_bytes)
            .remedy(
                "`dmesg | grep -i oom` names who was killed, and the limit where it was a cgroup's \
                 (memory.max).",
            ),
    )
}

fn processes(count: u64) -> String {
    counted(count, "process", "processes")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_have_to_be_seen() {
        assert_eq!(of(0, 1, 5 << 20), None, "somebody else killed it");
        assert_eq!(of(3, 0, 5 << 20), None, "others were killed");
        let finding = of(1, 1, 5 << 20).unwrap();
        assert!(
            finding.message.contains("ended 1 process of the run, which had grown by 5.00 MiB")
        );
        assert_eq!(finding.evidence["oom_kills"], 1);
        assert!(OomKills::so_far().0.is_some(), "since 4.13");
    }
}
