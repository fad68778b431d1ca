//! Whether a process was started with a tunable that keeps glibc's malloc off the break.
//!
//! # References
//! glibc manual, "Memory Allocation Tunables"; glibc 2.36 `malloc/arena.c` (`ptmalloc_init`: a huge
//! page size makes every morecore fail), `sysdeps/unix/sysv/linux/malloc-hugepages.c`
//! (`__malloc_hugepage_config`), `elf/dl-tunables.c` (`parse_tunables`)

use crate::process::Process;

const VARIABLE: &[u8] = b"GLIBC_TUNABLES=";
const HUGETLB: &str = "glibc.malloc.hugetlb";

/// That tunable with its value; `None` if there is none or the environment can't be read.
pub(super) fn off_the_break(process: &Process) -> Option<String> {
    // As the process got it at its start; what it changed since is not in it, nor known to glibc.
    hugetlb(&process.whole("environ").ok()?)
}

/// With 2 malloc takes huge pages of the default size, with a greater number those of that size: by
/// mmap alone. With 1 it uses the break and advises transparent huge pages.
fn hugetlb(environment: &[u8]) -> Option<String> {
    // Of several the last holds.
    let (_, value) = environment
        .split(|&byte| byte == 0)
        .filter_map(|variable| variable.strip_prefix(VARIABLE))
        .filter_map(|tunables| std::str::from_utf8(tunables).ok())
        .flat_map(|tunables| tunables.split(':'))
        .filter_map(|tunable| tunable.split_once('='))
        .rfind(|(name, _)| *name == HUGETLB)?;
    let value = number(value)?;
    (value >= 2).then(|| format!("{HUGETLB}={value}"))
}

/// As glibc reads it: decimal, hexadecimal after `0x`, octal after `0`.
fn number(text: &str) -> Option<u64> {
    if let Some(digits) = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        return u64::from_str_radix(digits, 16).ok();
    }
    match text.strip_prefix('0') {
        Some(digits) if !digits.is_empty() => u64::from_str_radix(digits, 8).ok(),
        _ => text.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(tail: Vec<u8>) {
            hugetlb(&tail);
            hugetlb(&[b"GLIBC_TUNABLES=glibc.malloc.hugetlb=", &*tail].concat());
        }
    }

    #[test]
    fn only_values_from_two_up_keep_malloc_off() {
        for (environment, found) in [
            ("GLIBC_TUNABLES=glibc.malloc.hugetlb=2", Some("2")),
            (
                "A=1\0GLIBC_TUNABLES=glibc.malloc.arena_max=1:glibc.malloc.hugetlb=2\0B=\0",
                Some("2"),
            ),
            (
                "GLIBC_TUNABLES=glibc.malloc.hugetlb=0x200000\0",
                Some("2097152"),
            ),
            ("GLIBC_TUNABLES=glibc.malloc.hugetlb=02\0", Some("2")),
            (
                "GLIBC_TUNABLES=glibc.malloc.hugetlb=2:glibc.malloc.hugetlb=1\0",
                None,
            ),
            ("GLIBC_TUNABLES=glibc.malloc.hugetlb=1\0", None),
            ("GLIBC_TUNABLES=glibc.malloc.hugetlb=0\0", None),
            ("GLIBC_TUNABLES=glibc.malloc.hugetlb=\0", None),
            ("GLIBC_TUNABLES=glibc.malloc.hugetlb\0", None),
            ("GLIBC_TUNABLES=glibc.malloc.hugetlb=two\0", None),
            ("GLIBC_TUNABLES=xglibc.malloc.hugetlb=2\0", None),
            ("MY_GLIBC_TUNABLES=glibc.malloc.hugetlb=2\0", None),
            ("", None),
            ("\0\0=", None),
        ] {
            let wanted = found.map(|value| format!("glibc.malloc.hugetlb={value}"));
            assert_eq!(hugetlb(environment.as_bytes()), wanted, "{environment:?}");
        }
        assert_eq!(hugetlb(b"GLIBC_TUNABLES=\xff=2\0"), None);
    }
}
