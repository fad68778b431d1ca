//! One arena's free memory, verified.

use super::cache::Cache;
use super::chunk::{Chunk, FIRST_FAST};
use super::heap_info::HeapInfos;
use super::heap_state::Free;
use super::inconsistency::Inconsistency;
use super::malloc_state::MallocState;
use super::map::FreeMap;
use super::memory::TargetMemory;
use super::quiescent;
use super::safe_linking::LinkProtection;
use super::trim::{self, Pages};
use super::verify::{apart, by_address, unchanged};
use super::walk::BinWalk;

/// What one read gave.
#[derive(Debug)]
pub(super) struct Verified {
    pub(super) free: Free,
    /// Whether some of what is returnable is the main arena's top.
    pub(super) returns_top: bool,
    /// Where the top ends: at the break, if the arena is the main one and grows by it.
    pub(super) top_end: u64,
}

/// Reads an arena once: sees whether it rests, collects its free chunks, asks which pages are
/// resident, and reads all of it again. Nothing is said of it unless all was the same both times,
/// and nothing more is read once something wasn't.
pub(super) fn free(
    memory: &mut impl TargetMemory,
    cache: &mut Cache,
    map: &FreeMap,
    header: &MallocState,
    links: &[LinkProtection],
    main: bool,
    sizes: Pages,
) -> Result<Verified, Inconsistency> {
    let read = read(memory, cache, map, header, links, main, sizes);
    read.map_err(|flaw| quiescent::explained(memory, header, flaw))
}

fn read(
    memory: &mut impl TargetMemory,
    cache: &mut Cache,
    map: &FreeMap,
    header: &MallocState,
    links: &[LinkProtection],
    main: bool,
    sizes: Pages,
) -> Result<Verified, Inconsistency> {
    header.check(map)?;
    let top_size_word = quiescent::steady(memory, header)?;
    let heaps = if main {
        HeapInfos::of_main(map, header, top_size_word)?
    } else {
        HeapInfos::of(memory, map, header)?
    };
    let walk = BinWalk::of(memory, cache, header, &heaps, top_size_word, links)?;
    let order = by_address(&walk);
    apart(&walk, &order, header)?;
    let given = trim::pages(&walk, &order, header, main, map, sizes);
    let returnable_bytes = memory.resident_bytes(&given.pages)?;
    unchanged(memory, header, &walk, &order)?;
    let sum = |wanted: fn(Chunk) -> bool| {
        let chunks = walk.chunks.iter().filter(|chunk| wanted(**chunk));
        chunks.map(|chunk| chunk.size()).sum()
    };
    let free = Free {
        chunks: walk.chunks.len() as u64,
        fast_bytes: sum(Chunk::is_fast),
        unsorted_bytes: sum(|chunk| chunk.bin() == 1),
        small_bytes: sum(|chunk| (2..64).contains(&chunk.bin())),
        large_bytes: sum(|chunk| (64..FIRST_FAST).contains(&chunk.bin())),
        top_bytes: walk.top_bytes,
        returnable_bytes,
    };
    Ok(Verified {
        free,
        returns_top: given.has_top,
        top_end: header.top().saturating_add(walk.top_bytes),
    })
}
