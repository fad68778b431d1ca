//! One arena's free memory, verified.

use super::flaw::Flaw;
use super::header::Header;
use super::heaps::Heaps;
use super::map::Map;
use super::memory::Memory;
use super::recheck::{apart, by_address, unchanged};
use super::state::Free;
use super::trim::{self, Pages};
use super::walk::{Chunk, FIRST_FAST, Walk};

/// Reads an arena once: collects its free chunks, asks which pages are resident, and reads all of
/// it again. Nothing is said of it unless all was the same both times.
pub(super) fn free(
    memory: &mut impl Memory,
    map: &Map,
    header: &Header,
    main: bool,
    sizes: Pages,
) -> Result<Free, Flaw> {
    header.check(map)?;
    let heaps = if main {
        Heaps::of_main(memory, map, header)?
    } else {
        Heaps::of(memory, map, header)?
    };
    let walk = Walk::of(memory, header, &heaps)?;
    let order = by_address(&walk);
    apart(&walk, &order, header)?;
    let pages = trim::pages(&walk, &order, header, main, map, sizes);
    let returnable_bytes = memory.resident_bytes(&pages)?;
    if header.locked() {
        return Err(Flaw::Locked);
    }
    unchanged(memory, header, &walk, &order)?;
    let sum = |wanted: fn(Chunk) -> bool| {
        let chunks = walk.chunks.iter().filter(|chunk| wanted(**chunk));
        chunks.map(|chunk| chunk.size()).sum()
    };
    Ok(Free {
        chunks: walk.chunks.len() as u64,
        fast_bytes: sum(Chunk::is_fast),
        unsorted_bytes: sum(|chunk| chunk.bin() == 1),
        small_bytes: sum(|chunk| (2..64).contains(&chunk.bin())),
        large_bytes: sum(|chunk| (64..FIRST_FAST).contains(&chunk.bin())),
        top_bytes: walk.top_bytes,
        returnable_bytes,
    })
}
