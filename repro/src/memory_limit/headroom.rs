//! Is there room for the budget?
//!
//! If a cgroup further up, or the machine, ran out of memory before the child met its own limit,
//! the kernel would look for a victim there, among other people's processes.

use super::hierarchy::{CgroupVersion, field};
use anyhow::{Context, ensure};
use heap_meter::environment::available_memory_bytes;
use human_text::Bytes;
use std::fs;
use std::path::Path;

/// What is to stay free beside the budget.
const MARGIN_BYTES: u64 = 64 << 20;

/// Refuses a budget that the machine, or a cgroup from `own` up to `top`, hasn't got.
pub(super) fn check(
    budget: u64,
    version: CgroupVersion,
    own: &Path,
    top: &Path,
) -> anyhow::Result<()> {
    let needed = budget.saturating_add(MARGIN_BYTES);
    let available = available_memory_bytes().context("/proc/meminfo has no MemAvailable")?;
    ensure!(
        available >= needed,
        "the machine has {} available, and a budget of {} with {} to spare is asked for: with less \
         the kernel might end other processes. Give a smaller --budget",
        Bytes(available),
        Bytes(budget),
        Bytes(MARGIN_BYTES)
    );
    for group in own.ancestors().take_while(|group| group.starts_with(top)) {
        let Some(left) = left_bytes(group, version) else {
            continue;
        };
        ensure!(
            left >= needed,
            "the cgroup {} has {} left, and a budget of {} with {} to spare is asked for: with less \
             the kernel might end other processes of it. Give a smaller --budget",
            group.display(),
            Bytes(left),
            Bytes(budget),
            Bytes(MARGIN_BYTES)
        );
    }
    Ok(())
}

/// What may still be charged; `None` without a limit. The page cache of files gives way.
fn left_bytes(group: &Path, version: CgroupVersion) -> Option<u64> {
    let read = |name: &str| fs::read_to_string(group.join(name)).ok();
    let number = |name: &str| read(name)?.trim().parse::<u64>().ok();
    let statistics = read("memory.stat").unwrap_or_default();
    let counted = |name: &str| field(&statistics, name).unwrap_or(0);
    let (usage, inactive, active) = match version {
        CgroupVersion::V1 => (
            "memory.usage_in_bytes",
            "total_inactive_file",
            "total_active_file",
        ),
        CgroupVersion::V2 => ("memory.current", "inactive_file", "active_file"),
    };
    let (limit, usage) = (number(version.limit_file())?, number(usage)?);
    let cache = counted(inactive) + counted(active);
    Some(limit.saturating_sub(usage.saturating_sub(cache)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_above_with_too_little_left_is_refused_by_name() {
        let top = tempfile::tempdir().unwrap();
        let place = top.path().join("place");
        fs::create_dir(&place).unwrap();
        let write = |name: &str, text: &str| fs::write(top.path().join(name), text).unwrap();
        write("memory.max", "134217728\n");
        write("memory.current", "104857600\n");
        write("memory.stat", "inactive_file 52428800\nactive_file 0\n");
        // 128 MiB of which 50 are taken for good: 78 left.
        assert!(check(10 << 20, CgroupVersion::V2, &place, top.path()).is_ok());
        let error = check(20 << 20, CgroupVersion::V2, &place, top.path()).unwrap_err();
        let text = error.to_string();
        assert!(text.contains(&*top.path().to_string_lossy()), "{text}");
        write("memory.max", "max\n");
        assert!(check(20 << 20, CgroupVersion::V2, &place, top.path()).is_ok());
    }

    #[test]
    fn more_than_the_machine_has_is_refused() {
        let top = tempfile::tempdir().unwrap();
        assert!(check(1 << 50, CgroupVersion::V2, top.path(), top.path()).is_err());
    }
}
