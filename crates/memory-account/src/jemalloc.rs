//! jemalloc: blocks of its own records begin with their size and with a record of what of them is
//! left; and in those blocks stand the records of all that it has from the kernel.
//!
//! # References
//! jemalloc 5.2 and 5.3, `base.h` (`base_block_s`), `edata.h` (`edata_s`), `extent_structs.h`

use std::ops::Range;

use proc_memory::word;

use super::row::Kind;
use super::space::Space;

/// Blocks begin at multiples of it, and are of so many.
const BLOCK_BYTES: u64 = 2 << 20;
/// Records begin at multiples of it.
const RECORD_BYTES: usize = 64;
const PAGE_BYTES: u64 = 4096;
/// Bytes of blocks that are read.
const MOST_BYTES: u64 = 64 << 20;
/// The low bits of a record's size, which has a serial number there.
const SERIAL: u64 = PAGE_BYTES - 1;

/// Claims blocks, and what their records name.
pub(super) fn claim(space: &mut Space<'_>) {
    let unclaimed = space.unclaimed();
    let places = space.resident_multiples(&unclaimed, BLOCK_BYTES);
    let mut blocks = Vec::new();
    space.heads(&places, 40, |at, head| {
        let [size, next, _, left, length] = [0, 8, 16, 24, 32].map(|offset| word(head, offset));
        let end = at.checked_add(size);
        let fits = size > 0
            && size.is_multiple_of(BLOCK_BYTES)
            && next.is_multiple_of(BLOCK_BYTES)
            && (at..=at.saturating_add(size)).contains(&left)
            && left.checked_add(length) == end;
        blocks.extend(end.filter(|_| fits).map(|end| at..end));
    });
    blocks.retain(|block| space.is_within_anonymous(block));
    if blocks.is_empty() {
        return;
    }
    let evidence = "blocks of its records, and the extents that the records name";
    let row = space.row(Kind::Allocator, "jemalloc", evidence);
    let records = space.resident(&blocks);
    for block in blocks {
        space.claim(block, row);
    }
    let mut budget = MOST_BYTES;
    let mut extents = Vec::new();
    for part in records {
        budget = budget.saturating_sub(part.end - part.start);
        let Some(bytes) = space.read(part).filter(|_| budget > 0) else { continue };
        for record in bytes.chunks_exact(RECORD_BYTES) {
            extents.extend(extent(word(record, 8), word(record, 16)));
        }
    }
    extents.retain(|extent| space.is_within_anonymous(extent));
    for extent in joined(extents) {
        space.claim(extent, row);
    }
}

/// What a record names.
fn extent(address: u64, size: u64) -> Option<Range<u64>> {
    let length = size & !SERIAL;
    // A large block begins somewhere in the first page of its extent, for the sake of caches.
    let start = address & !(PAGE_BYTES - 1);
    let is_one = start > 0 && address.is_multiple_of(RECORD_BYTES as u64) && length > 0;
    (is_one && length < 1 << 47).then(|| start..start.saturating_add(length))
}

fn joined(mut ranges: Vec<Range<u64>>) -> Vec<Range<u64>> {
    ranges.sort_unstable_by_key(|range| range.start);
    let mut joined: Vec<Range<u64>> = Vec::new();
    for range in ranges {
        match joined.last_mut().filter(|last| range.start <= last.end) {
            Some(last) => last.end = last.end.max(range.end),
            None => joined.push(range),
        }
    }
    joined
}
