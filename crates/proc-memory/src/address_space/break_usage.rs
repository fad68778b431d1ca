//! Whether a process's malloc uses the break: whether its memory was ever touched, and whether the
//! process was started with a tunable that keeps glibc's malloc off it.
//!
//! # References
//! `proc_pid_pagemap(5)`, `Documentation/admin-guide/mm/pagemap.rst`; glibc manual, "Memory
//! Allocation Tunables"; glibc 2.36 `malloc/arena.c` (`ptmalloc_init`: a huge page size makes every
//! morecore fail), `sysdeps/unix/sysv/linux/malloc-hugepages.c` (`__malloc_hugepage_config`),
//! `elf/dl-tunables.c` (`parse_tunables`)

use std::ops::Range;
use std::os::unix::fs::FileExt;

use crate::page_size_bytes;
use crate::process::Process;

/// Bytes of one entry, which stands for one page.
const ENTRY_BYTES: u64 = 8;

/// Present, or swapped out. Unlike the page's number these are told to every reader.
const HAS_CONTENT: u64 = 0b11 << 62;

/// Entries that are read at once. In a heap that is used, one of the first pages nearly always has
/// content.
const AT_ONCE: u64 = 512;

/// Entries that are read at most: those of 4 GiB, with pages of 4 KiB.
const MOST: u64 = 1 << 20;

/// Whether any page of the range is resident or swapped out; `None` if it can't be told: no
/// permission, no such file, or more untouched memory than is worth looking through.
pub(super) fn is_touched(process: &Process, range: Range<u64>) -> Option<bool> {
    if range.is_empty() {
        return Some(false);
    }
    let pagemap = process.file("pagemap").ok()?;
    let page = page_size_bytes();
    let (mut next, end) = (range.start / page, range.end.div_ceil(page));
    let last = end.min(next + MOST);
    let mut buffer = [0; (AT_ONCE * ENTRY_BYTES) as usize];
    while next < last {
        let entries = (last - next).min(AT_ONCE);
        let wanted = &mut buffer[..(entries * ENTRY_BYTES) as usize];
        pagemap.read_exact_at(wanted, next * ENTRY_BYTES).ok()?;
        let (entries_read, _) = wanted.as_chunks::<8>();
        let has_content = |entry: &[u8; 8]| u64::from_ne_bytes(*entry) & HAS_CONTENT != 0;
        if entries_read.iter().any(has_content) {
            return Some(true);
        }
        next += entries;
    }
    (last == end).then_some(false)
}

const VARIABLE: &[u8] = b"GLIBC_TUNABLES=";
const HUGETLB: &str = "glibc.malloc.hugetlb";

/// The tunable `glibc.malloc.hugetlb` that keeps malloc off the break, with its value.
pub(super) fn off_the_break(process: &Process) -> Option<String> {
    let value = hugetlb_tunable(process).filter(|value| *value >= 2)?;
    Some(format!("{HUGETLB}={value}"))
}

/// The value of glibc's tunable `glibc.malloc.hugetlb`; `None` if it isn't set or the environment
/// can't be read.
///
/// With 2 malloc takes huge pages of the default size, with a greater number those of that size: by
/// mmap alone. With 1 it uses the break and advises transparent huge pages.
pub fn hugetlb_tunable(process: &Process) -> Option<u64> {
    // As the process got it at its start; what it changed since is not in it, nor known to glibc.
    hugetlb(&process.whole("environ").ok()?)
}

fn hugetlb(environment: &[u8]) -> Option<u64> {
    // Of several the last holds.
    let (_, value) = environment
        .split(|&byte| byte == 0)
        .filter_map(|variable| variable.strip_prefix(VARIABLE))
        .filter_map(|tunables| std::str::from_utf8(tunables).ok())
        .flat_map(|tunables| tunables.split(':'))
        .filter_map(|tunable| tunable.split_once('='))
        .rfind(|(name, _)| *name == HUGETLB)?;
    number(value)
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

    #[test]
    fn a_page_that_was_written_is_seen_and_others_are_not() {
        let process = Process::open(std::process::id() as i32).unwrap();
        let page = page_size_bytes();
        let mut block = vec![0_u8; 64 << 20];
        // Zeroed by the kernel, so no page is touched before the write.
        let (middle, address) = (32 << 20, block.as_ptr() as u64);
        block[middle] = 1;
        let wrote = (address + middle as u64) / page * page;
        let untouched = wrote + 4 * page..wrote + (16 << 20);
        assert_eq!(is_touched(&process, wrote..wrote + page), Some(true));
        assert_eq!(is_touched(&process, untouched.start..wrote), Some(false));
        assert_eq!(is_touched(&process, wrote..wrote), Some(false));
        if std::fs::read_to_string("/sys/kernel/mm/transparent_hugepage/enabled")
            .is_ok_and(|text| text.contains("[always]"))
        {
            return;
        }
        assert_eq!(is_touched(&process, untouched), Some(false));
        drop(block);
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(tail: Vec<u8>) {
            hugetlb(&tail);
            hugetlb(&[b"GLIBC_TUNABLES=glibc.malloc.hugetlb=", &*tail].concat());
        }
    }

    #[test]
    fn the_last_number_holds() {
        for (environment, found) in [
            ("GLIBC_TUNABLES=glibc.malloc.hugetlb=2", Some(2)),
            ("A=1\0GLIBC_TUNABLES=glibc.malloc.arena_max=1:glibc.malloc.hugetlb=2\0B=\0", Some(2)),
            ("GLIBC_TUNABLES=glibc.malloc.hugetlb=0x200000\0", Some(2 << 20)),
            ("GLIBC_TUNABLES=glibc.malloc.hugetlb=02\0", Some(2)),
            ("GLIBC_TUNABLES=glibc.malloc.hugetlb=2:glibc.malloc.hugetlb=0x1\0", Some(1)),
            ("GLIBC_TUNABLES=glibc.malloc.hugetlb=1\0", Some(1)),
            ("GLIBC_TUNABLES=glibc.malloc.hugetlb=0\0", Some(0)),
            ("GLIBC_TUNABLES=glibc.malloc.hugetlb=\0", None),
            ("GLIBC_TUNABLES=glibc.malloc.hugetlb\0", None),
            ("GLIBC_TUNABLES=glibc.malloc.hugetlb=two\0", None),
            ("GLIBC_TUNABLES=xglibc.malloc.hugetlb=2\0", None),
            ("MY_GLIBC_TUNABLES=glibc.malloc.hugetlb=2\0", None),
            ("", None),
            ("\0\0=", None),
        ] {
            assert_eq!(hugetlb(environment.as_bytes()), found, "{environment:?}");
        }
        assert_eq!(hugetlb(b"GLIBC_TUNABLES=\xff=2\0"), None);
    }
}
