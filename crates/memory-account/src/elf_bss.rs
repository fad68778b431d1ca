//! Data of a program or a library that its file doesn't hold (`.bss`): anonymous memory behind the
//! mappings of the file, as long as the file's own headers say.
//!
//! # References
//! elf(5), `PT_LOAD`, `p_memsz`

use std::ops::Range;

use proc_memory::{page_size_bytes, word};

use super::kernel;
use super::row::Kind;
use super::space::Space;

/// A file's header and those of its segments, which follow it: so much of its first page.
pub(super) const HEAD_BYTES: usize = 4096;
const SEGMENT_BYTES: u64 = 56;

/// Claims all of it.
pub(super) fn claim(space: &mut Space<'_>) {
    let files = space.areas().iter().map(|area| &area.mapping);
    let files = files.filter(|mapping| mapping.inode != 0 && mapping.offset == 0);
    let starts: Vec<u64> = files.map(|mapping| mapping.start).collect();
    let mut beyond = Vec::new();
    space.heads(&starts, HEAD_BYTES, |start, head| {
        beyond.extend(beyond_file(head, start).unwrap_or_default());
    });
    for range in beyond {
        let is_anonymous = space
            .area_at(range.start)
            .is_some_and(|area| area.mapping.inode == 0 && area.mapping.permissions.write);
        if is_anonymous {
            let row = space.row(Kind::File, kernel::FILES, kernel::NAME_IN_MAPS);
            space.claim(range, row);
        }
    }
}

/// What an ELF file that is mapped from here on has beyond its file.
fn beyond_file(head: &[u8], start: u64) -> Option<Vec<Range<u64>>> {
    let (bias, segments) = segments(head, start)?;
    let page = page_size_bytes();
    let loaded = segments.iter().filter(|segment| segment.kind == LOADED);
    let ends = loaded.filter_map(|segment| {
        let from = bias.wrapping_add(segment.address);
        let end = |size| from.checked_add(size)?.checked_next_multiple_of(page);
        Some(end(segment.file_bytes)?..end(segment.memory_bytes)?)
    });
    Some(ends.filter(|range| range.start < range.end).collect())
}

const LOADED: u32 = 1;

/// A program header, as far as it is wanted.
pub(super) struct Segment {
    pub(super) kind: u32,
    pub(super) address: u64,
    file_bytes: u64,
    memory_bytes: u64,
}

/// The segments of an ELF file that begins so and is mapped from here on, and what its addresses
/// lack.
pub(super) fn segments(head: &[u8], start: u64) -> Option<(u64, Vec<Segment>)> {
    let is_elf64 = head.starts_with(b"\x7fELF\x02\x01");
    let (offset, sizes) = (word(head, 32), word(head, 54));
    let (size, count) = (sizes & 0xffff, sizes >> 16 & 0xffff);
    let page = page_size_bytes();
    if !is_elf64 || size != SEGMENT_BYTES || offset > head.len() as u64 {
        return None;
    }
    let table = head.get(offset as usize..(offset + count * SEGMENT_BYTES) as usize)?;
    let each = table.chunks_exact(SEGMENT_BYTES as usize).map(|one| Segment {
        kind: word(one, 0) as u32,
        address: word(one, 16),
        file_bytes: word(one, 32),
        memory_bytes: word(one, 40),
    });
    let all: Vec<Segment> = each.collect();
    let loaded = all.iter().filter(|segment| segment.kind == LOADED);
    let lowest = loaded.map(|segment| segment.address / page * page).min()?;
    Some((start.wrapping_sub(lowest), all))
}
