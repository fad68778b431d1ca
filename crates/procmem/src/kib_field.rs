//! `Name:   123 kB` lines, as `status` and `smaps_rollup` of a process have them.
//!
//! # References
//! proc_pid_status(5), proc_pid_smaps(5)

/// The value of the line that starts with `name` (such as `VmRSS:`, colon included), in bytes.
///
/// The kernel's "kB" are 1,024 bytes (`fs/proc/task_mmu.c`, `SEQ_PUT_DEC` after a shift by 10).
/// `None` when there is no such line, its unit is another, or the value overflows.
#[must_use]
pub fn kib_field(content: &[u8], name: &[u8]) -> Option<u64> {
    let line = content
        .split(|&byte| byte == b'\n')
        .find(|line| line.starts_with(name))?;
    let value = line[name.len()..].trim_ascii().strip_suffix(b" kB")?;
    std::str::from_utf8(value)
        .ok()?
        .parse::<u64>()
        .ok()?
        .checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::kib_field;

    const ROLLUP: &[u8] = b"55d-7ff ---p 00000000 00:00 0    [rollup]\n\
        Rss:                1716 kB\nPss:                 471 kB\nPss_Dirty:           112 kB\n\
        Private_Clean:        68 kB\nLong: 18014398509481984 kB\nOdd: 3\nLast:\t5 kB";

    #[test]
    fn kb_become_bytes() {
        assert_eq!(kib_field(ROLLUP, b"Rss:"), Some(1716 * 1024));
        assert_eq!(kib_field(ROLLUP, b"Pss:"), Some(471 * 1024));
        assert_eq!(kib_field(ROLLUP, b"Last:"), Some(5 * 1024));
    }

    #[test]
    fn what_is_not_there_is_none() {
        for name in ["Swap:", "Odd:", "Long:", "ss:"] {
            assert_eq!(kib_field(ROLLUP, name.as_bytes()), None, "{name}");
        }
        assert_eq!(kib_field(b"", b"Rss:"), None);
        assert_eq!(kib_field(b"Rss: -1 kB", b"Rss:"), None);
    }
}
