//! jemalloc: blocks of its own records begin with their size and with a record of what of them is
//! left; and in those blocks stand the records of all that it has from the kernel.
//!
//! Of 5.3.0 a record's bits tell the extent's state, and how much of a slab is free.
//!
//! # References
//! jemalloc 5.2 and 5.3, `base.h` (`base_block_s`), `edata.h` (`edata_s`, `e_bits`),
//! `extent_structs.h`, `sz.h` (`sz_index2size_compute`)

use std::ops::Range;

use proc_memory::{joined_ranges, word};

use super::row::Kind;
use super::space::Space;

/// Blocks begin at multiples of it, and are of so many.
const BLOCK_BYTES: u64 = 2 << 20;
/// Records begin at multiples of it.
const RECORD_BYTES: usize = 64;
const PAGE_BYTES: u64 = 4096;
/// Bytes of blocks that are read.
const MOST_BYTES: u64 = 64 << 20;
/// `SC_NSIZES`, 64-bit.
const SIZE_CLASSES: u64 = 232;
/// As its library states the version of which the bits are known.
const KNOWN_VERSION: &[u8] = b"\x005.3.0-";
/// Readings of a program that is at work.
const TRIES: usize = 3;
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
    // What lies in one may look like another; each record is to be read once.
    let blocks = joined_ranges(blocks);
    if blocks.is_empty() {
        return;
    }
    let evidence = "blocks of its records, and the extents that the records name";
    let row = space.row(Kind::Allocator, "jemalloc", evidence);
    let records = space.resident(&blocks);
    let blocks_bytes: u64 = records.iter().map(|part| part.end - part.start).sum();
    for block in &blocks {
        space.claim(block.clone(), row);
    }
    let mut extents = extents(space, &blocks, &records);
    for extent in joined_ranges(extents.iter().map(|extent| extent.range.clone())) {
        space.claim(extent, row);
    }
    // Not all records were read; or they may mean something else.
    if blocks_bytes > MOST_BYTES || !space.has_text("libjemalloc", KNOWN_VERSION) {
        return;
    }
    for _ in 0..TRIES {
        if let Some([used, returnable]) = shares(space, &mut extents) {
            space.is_used(row, blocks_bytes + used);
            space.is_free(row, 0, Some(returnable));
            return;
        }
        // It was at work.
        extents = self::extents(space, &blocks, &records);
    }
}

/// What the records name, wherever one may stand.
fn extents(space: &Space<'_>, blocks: &[Range<u64>], records: &[Range<u64>]) -> Vec<Extent> {
    let mut budget = MOST_BYTES;
    let mut extents = Vec::new();
    for part in records {
        let Some(left) = budget.checked_sub(part.end - part.start) else { break };
        budget = left;
        let Some(bytes) = space.read(part.clone()) else { continue };
        extents.extend(bytes.chunks_exact(RECORD_BYTES).filter_map(extent));
    }
    extents.retain(|extent: &Extent| {
        let range = &extent.range;
        let is_apart = |block: &Range<u64>| range.end <= block.start || block.end <= range.start;
        blocks.iter().all(is_apart) && space.is_within_anonymous(range)
    });
    extents
}

/// What a record names, and its bits.
struct Extent {
    range: Range<u64>,
    bits: u64,
}

fn extent(record: &[u8]) -> Option<Extent> {
    let [bits, address, size] = [0, 8, 16].map(|offset| word(record, offset));
    let length = size & !SERIAL;
    // A large block begins somewhere in the first page of its extent, for the sake of caches.
    let start = address & !(PAGE_BYTES - 1);
    let is_one = start > 0 && address.is_multiple_of(RECORD_BYTES as u64) && length > 0;
    let range = start..start.saturating_add(length);
    (is_one && length < 1 << 47).then_some(Extent { range, bits })
}

impl Extent {
    fn bits(&self, shift: u32, width: u32) -> u64 {
        self.bits >> shift & ((1 << width) - 1)
    }

    fn state(&self) -> ExtentState {
        match (self.bits(17, 3), self.bits(20, 8)) {
            (0, size_class) if size_class < SIZE_CLASSES => match self.bits(12, 1) {
                0 => ExtentState::Block,
                _ => {
                    ExtentState::Slab { block: size_of_class(size_class), free: self.bits(28, 10) }
                }
            },
            (1 | 2, _) => ExtentState::Unused,
            (3, _) => ExtentState::GivenBack,
            _ => ExtentState::Stale,
        }
    }
}

/// What an extent is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum ExtentState {
    /// One block.
    Block,
    /// Many of this size, of which so many are free.
    Slab { block: u64, free: u64 },
    /// Dirty or muzzy: free, and still to be given back.
    Unused,
    /// Its pages have been given back.
    GivenBack,
    /// The record was another extent's, or is none.
    Stale,
}

/// Bytes in use, and resident ones that would be given back. `None` where extents overlap: no two
/// that are in use at the same time do.
fn shares(space: &Space<'_>, extents: &mut Vec<Extent>) -> Option<[u64; 2]> {
    extents.retain(|extent| extent.state() != ExtentState::Stale);
    extents.sort_unstable_by_key(|extent| extent.range.start);
    if extents.windows(2).any(|two| two[1].range.start < two[0].range.end) {
        return None;
    }
    let all = |wanted: ExtentState| -> Vec<Range<u64>> {
        let some = extents.iter().filter(|extent| extent.state() == wanted);
        some.map(|extent| extent.range.clone()).collect()
    };
    let in_slabs = extents.iter().map(|extent| match extent.state() {
        ExtentState::Slab { block, free } => {
            let count = (extent.range.end - extent.range.start) / block;
            count.saturating_sub(free) * block
        }
        _ => 0,
    });
    let in_slabs: u64 = in_slabs.sum();
    let blocks = space.resident_bytes(&all(ExtentState::Block));
    Some([in_slabs + blocks, space.resident_bytes(&all(ExtentState::Unused))])
}

/// `sz_index2size`: 8, then multiples of 16 up to 64, then four to each doubling.
fn size_of_class(class: u64) -> u64 {
    let Some(from) = class.checked_sub(1) else { return 8 };
    match (from / 4, from % 4) {
        (0, step) => 16 * (step + 1),
        (group, step) => (16 << (group - 1)) * (4 + step + 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_of_classes() {
        let sizes: Vec<u64> = (0..14).map(size_of_class).collect();
        assert_eq!(sizes, [8, 16, 32, 48, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320]);
        assert_eq!(size_of_class(SIZE_CLASSES - 1), 7 << 60);
    }
}
