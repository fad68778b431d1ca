//! What stood in the way of a refused break, read from `/proc`.

use std::fs;

use crate::address_space::AddressSpace;
use crate::event::Refusal;

/// The surroundings of a refusal in the process `pid`, as they are now. `None` if nothing can be
/// read of it.
///
/// The limits come from `/proc/PID/limits`, which anybody may read; prlimit(2) would want the same
/// user, or CAP_SYS_RESOURCE.
///
/// # References
/// proc_pid_limits(5), proc_pid_status(5); setrlimit(2), `RLIMIT_DATA`
pub(in crate::source) fn of(pid: i32) -> Option<Refusal> {
    let limits = fs::read_to_string(format!("/proc/{pid}/limits")).ok()?;
    // Bytes: the first line holds the program's name, which may be any.
    let status = fs::read(format!("/proc/{pid}/status")).ok()?;
    let space = AddressSpace::of(pid).ok();
    Some(Refusal {
        program_break: space.and_then(|space| space.program_break().cloned()),
        data_limit_bytes: soft_limit(&limits, "Max data size")?,
        data_bytes: status_bytes(&status, b"VmData:")?,
        address_space_limit_bytes: soft_limit(&limits, "Max address space")?,
        address_space_bytes: status_bytes(&status, b"VmSize:")?,
    })
}

/// The soft limit of this name, `Some(None)` for `unlimited`; `None` if the table doesn't have it.
fn soft_limit(limits: &str, name: &str) -> Option<Option<u64>> {
    let row = limits.lines().find_map(|line| line.strip_prefix(name))?;
    match row.split_whitespace().next()? {
        "unlimited" => Some(None),
        bytes => bytes.parse().ok().map(Some),
    }
}

/// A figure of `status` in bytes; the file's "kB" are 1,024 bytes.
fn status_bytes(status: &[u8], name: &[u8]) -> Option<u64> {
    let mut lines = status.split(|byte| *byte == b'\n');
    let value = lines.find_map(|line| line.strip_prefix(name))?;
    let value = value.trim_ascii().strip_suffix(b" kB")?;
    let value: u64 = std::str::from_utf8(value).ok()?.parse().ok()?;
    value.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_the_soft_ones() {
        let limits = "\
Limit                     Soft Limit           Hard Limit           Units
Max data size             1048576              unlimited            bytes
Max address space         unlimited            unlimited            bytes
";
        assert_eq!(soft_limit(limits, "Max data size"), Some(Some(1 << 20)));
        assert_eq!(soft_limit(limits, "Max address space"), Some(None));
        assert_eq!(soft_limit(limits, "Max stack size"), None);
    }

    #[test]
    fn figures_are_in_bytes() {
        let status = b"Name:\tVmData: 1 kB\xff\nVmSize:\t    2 kB\nVmData:\t3 kB\n";
        assert_eq!(status_bytes(status, b"VmData:"), Some(3072));
        assert_eq!(status_bytes(status, b"VmSwap:"), None);
    }

    #[test]
    fn surroundings_of_this_process() {
        let refusal = of(std::process::id() as i32).unwrap();
        assert!(refusal.program_break.is_some());
        assert!(refusal.data_bytes > 0);
        assert!(refusal.address_space_bytes >= refusal.data_bytes);
        assert_eq!(of(0), None);
    }
}
