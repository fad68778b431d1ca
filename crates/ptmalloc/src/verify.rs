//! Reads an arena a second time: its header and its top's size, in which nearly every change shows,
//! and its free chunks.
//!
//! All that the first walk saw has to be there still, so that at the moment between the two it was
//! there at once. What else is checked here, too: that each chunk's end says the same as its
//! beginning, and that no two overlap.

use std::ops::Range;

use proc_memory::word;

use super::chunk::PREVIOUS_IN_USE;
use super::error::Inconsistency;
use super::malloc_state::MallocState;
use super::memory::TargetMemory;
use super::walk::BinWalk;

const PAGE_BYTES: u64 = 4096;
/// Chunks to a batch, two places each, and the header's and the top's: as many places as one system
/// call takes (`IOV_MAX`).
const BATCH: usize = 511;
/// To read so many more bytes costs less than to read another place.
const NEAR_BYTES: u64 = 2048;

/// A walk's chunks by rising address, as indices.
pub(super) fn by_address(walk: &BinWalk) -> Vec<u32> {
    let each = walk.chunks.iter().zip(0_u32..);
    let mut order: Vec<(u64, u32)> = each.map(|(chunk, index)| (chunk.address, index)).collect();
    order.sort_unstable();
    order.into_iter().map(|(_, index)| index).collect()
}

/// Whether chunks and top lie apart from each other.
pub(super) fn apart(
    walk: &BinWalk,
    order: &[u32],
    header: &MallocState,
) -> Result<(), Inconsistency> {
    let top = header.top()..header.top().saturating_add(walk.top_bytes);
    let mut end = 0;
    for index in order {
        let chunk = walk.chunks[*index as usize];
        let in_top = chunk.address < top.end && top.start < chunk.end();
        if chunk.address < end || in_top {
            return Err(Inconsistency::Chunk("it overlaps another one"));
        }
        end = chunk.end();
    }
    Ok(())
}

/// Whether all is still as it was: first of all the header and the top, in which a change shows
/// soonest. `order` is by rising address.
pub(super) fn unchanged(
    memory: &mut impl TargetMemory,
    header: &MallocState,
    walk: &BinWalk,
    order: &[u32],
) -> Result<(), Inconsistency> {
    let mut batch = Batch::default();
    let (first, others) = order.split_at(order.len().min(BATCH));
    for (number, indices) in [first].into_iter().chain(others.chunks(BATCH)).enumerate() {
        batch.read(memory, walk, indices, (number == 0).then_some(header))?;
        if number == 0 {
            batch.check_header(header, walk)?;
        }
        for (index, [start, end]) in indices.iter().zip(&batch.found) {
            let index = *index as usize;
            if !is_as_before(header, walk, index, &batch.bytes[*start..], &batch.bytes[*end..])? {
                return Err(Inconsistency::Changed);
            }
        }
    }
    Ok(())
}

/// Compares one chunk with its first words and with those of the next one.
fn is_as_before(
    header: &MallocState,
    walk: &BinWalk,
    index: usize,
    start: &[u8],
    end: &[u8],
) -> Result<bool, Inconsistency> {
    let chunk = walk.chunks[index];
    let (before, after) = walk.neighbours(index);
    let [size, forward, back] = [8, 16, 24].map(|at| word(start, at));
    let [size_before, next_size] = [0, 8].map(|at| word(end, at));
    let next_says_in_use = next_size & PREVIOUS_IN_USE != 0;
    if chunk.is_fast() {
        let after = after.unwrap_or(0);
        let link = walk.links.across(chunk.address + 16, after);
        // For all others a chunk in a fast bin is in use.
        return match next_says_in_use {
            true => Ok(size & !15 == chunk.size() && forward == link),
            false => {
                Err(Inconsistency::Chunk("its end says that it is free, its bin that it isn't"))
            }
        };
    }
    let bin = header.bin_address(chunk.bin().into());
    let same = size == chunk.size() | PREVIOUS_IN_USE
        && forward == after.unwrap_or(bin)
        && back == before.unwrap_or(bin);
    if !same {
        return Ok(false);
    }
    if size_before != chunk.size() || next_says_in_use {
        return Err(Inconsistency::Chunk("its end doesn't say that it is free"));
    }
    Ok(true)
}

#[derive(Default)]
struct Batch {
    places: Vec<Range<u64>>,
    bytes: Vec<u8>,
    /// For each chunk, where in the bytes its beginning and its end are.
    found: Vec<[usize; 2]>,
    /// Where the header is, and the top's size.
    header: usize,
    top_size: Option<usize>,
    length: usize,
}

impl Batch {
    fn read(
        &mut self,
        memory: &mut impl TargetMemory,
        walk: &BinWalk,
        indices: &[u32],
        header: Option<&MallocState>,
    ) -> Result<(), Inconsistency> {
        self.places.clear();
        self.bytes.clear();
        self.found.clear();
        self.length = 0;
        if let Some(header) = header {
            self.header = self.want(header.place());
            self.top_size = header.top_size_place().map(|place| self.want(place));
        }
        for index in indices {
            let chunk = walk.chunks[*index as usize];
            let start = self.want(chunk.address..chunk.address + 32);
            let end = self.want(chunk.end()..chunk.end() + 16);
            self.found.push([start, end]);
        }
        Ok(memory.read(&self.places, &mut self.bytes)?)
    }

    fn check_header(&self, header: &MallocState, walk: &BinWalk) -> Result<(), Inconsistency> {
        header.stands(self.bytes.get(self.header..).unwrap_or_default())?;
        match self.top_size.map_or(0, |at| word(&self.bytes, at)) == walk.top_size_word {
            true => Ok(()),
            false => Err(Inconsistency::Changed),
        }
    }

    /// Adds a place; gives where its bytes will be. One near the last one is read with it, since two
    /// places cost more than what is between them; there may be no other page between.
    fn want(&mut self, place: Range<u64>) -> usize {
        if let Some(last) = self.places.last_mut()
            && place.start >= last.start
            && place.start / PAGE_BYTES <= last.end.div_ceil(PAGE_BYTES)
            && place.start <= last.end + NEAR_BYTES
        {
            let at = self.length - (last.end - last.start) as usize;
            let at = at + (place.start - last.start) as usize;
            let more = place.end.saturating_sub(last.end);
            last.end += more;
            self.length += more as usize;
            return at;
        }
        let at = self.length;
        self.length += (place.end - place.start) as usize;
        self.places.push(place);
        at
    }
}

/// Reads both where they were, and gives the top's size with its flags, as it is in memory; 0 if
/// the arena has no memory.
///
/// A thread that is at work in the arena holds its lock, or has changed the header since it was
/// read: that is found out here for the price of one system call, before anything else is read.
pub(super) fn steady(
    memory: &mut impl TargetMemory,
    header: &MallocState,
) -> Result<u64, Inconsistency> {
    if header.locked() {
        return Err(Inconsistency::Locked);
    }
    let mut places = vec![header.place()];
    places.extend(header.top_size_place());
    let mut bytes = Vec::with_capacity(header.layout.length + 8);
    memory.read(&places, &mut bytes)?;
    let (again, top) = bytes.split_at(header.layout.length.min(bytes.len()));
    header.stands(again)?;
    Ok(word(top, 0))
}

/// What was found wrong, or that the arena changed meanwhile, which explains anything.
pub(super) fn explained(
    memory: &mut impl TargetMemory,
    header: &MallocState,
    flaw: Inconsistency,
) -> Inconsistency {
    if flaw.explains_all() || matches!(flaw, Inconsistency::TooMany(_)) {
        return flaw;
    }
    match steady(memory, header) {
        Err(change) if change.explains_all() => change,
        _ => flaw,
    }
}
