//! A line of a file below `/proc` that tells kibibytes.

/// The bytes that a line such as `VmRSS:    1234 kB` tells.
///
/// # References
/// proc_pid_status(5), proc_pid_smaps(5)
pub(super) fn bytes(text: &[u8], name: &str) -> Option<u64> {
    // A program's name, which is in some of them, may be any bytes.
    let mut lines = text.split(|byte| *byte == b'\n');
    let value = lines.find_map(|line| line.strip_prefix(name.as_bytes())?.strip_prefix(b":"))?;
    let kib = value.trim_ascii().strip_suffix(b" kB")?;
    let kib: u64 = std::str::from_utf8(kib).ok()?.parse().ok()?;
    kib.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_whole_name_counts() {
        let text =
            b"Name:\t\xff\nPss_Dirty:\t 8 kB\nPss:\t 12 kB\nHugetlbPages:\t 0 kB\nThreads:\t1\n";
        assert_eq!(bytes(text, "Pss"), Some(12 << 10));
        assert_eq!(bytes(text, "HugetlbPages"), Some(0));
        assert_eq!(bytes(text, "Threads"), None, "no kibibytes");
        assert_eq!(bytes(text, "VmRSS"), None);
    }
}
