//! What `/proc` says of the child.
//!
//! # References
//!
//! proc_pid_statm(5), proc_pid_status(5), proc_pid_limits(5).

use std::fs;

/// Roughly: for a look on the way. 0 for a process that has ended.
pub(super) fn resident_bytes(pid: i32) -> u64 {
    let statm = fs::read_to_string(format!("/proc/{pid}/statm")).unwrap_or_default();
    let pages = statm.split(' ').nth(1).and_then(|pages| pages.parse().ok());
    pages.unwrap_or(0) * heap_meter::environment::page_size_bytes()
}

/// What counts against `RLIMIT_DATA`.
pub(super) fn data_bytes(pid: i32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmData:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib << 10)
}

/// The soft limit, in the text of `/proc/PID/limits`.
pub(super) fn data_limit(limits: &str) -> Option<u64> {
    let line = limits
        .lines()
        .find_map(|line| line.strip_prefix("Max data size"))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_data_limit_is_found() {
        let limits = "Limit                     Soft Limit           Hard Limit           Units\n\
            Max file size             unlimited            unlimited            bytes\n\
            Max data size             268435456            268435456            bytes\n";
        assert_eq!(data_limit(limits), Some(256 << 20));
        assert_eq!(
            data_limit("Max data size   unlimited  unlimited  bytes"),
            None
        );
    }
}
