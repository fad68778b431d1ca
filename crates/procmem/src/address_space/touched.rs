//! Whether a process has ever touched a range of its memory.
//!
//! References: `proc_pid_pagemap(5)`; `Documentation/admin-guide/mm/pagemap.rst`.

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
pub(super) fn any(process: &Process, range: Range<u64>) -> Option<bool> {
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

#[cfg(test)]
mod tests {
    use super::*;

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
        assert_eq!(any(&process, wrote..wrote + page), Some(true));
        assert_eq!(any(&process, untouched.start..wrote), Some(false));
        assert_eq!(any(&process, wrote..wrote), Some(false));
        if std::fs::read_to_string("/sys/kernel/mm/transparent_hugepage/enabled")
            .is_ok_and(|text| text.contains("[always]"))
        {
            return;
        }
        assert_eq!(any(&process, untouched), Some(false));
        drop(block);
    }
}
