//! Memory of glibc's malloc: its arenas, where their lists say that they lie, and blocks with
//! mappings of their own.
//!
//! # References
//! glibc `malloc/malloc.c`: `IS_MMAPPED`, `sysmalloc_mmap`

use std::ops::Range;

use proc_memory::{page_size_bytes, word};
use ptmalloc::{Arena, HeapState, Mmapped, first_chunk_bytes, mmapped_block_bytes};

use super::row::Kind;
use super::space::Space;

/// Pages that are looked at for headers of blocks which lie behind something else.
const MOST_PAGES: usize = 1 << 16;
const PAGES_AT_ONCE: usize = 1024;
const MAIN: &str = "glibc's main arena";
const THREADS: &str = "glibc's thread arenas";

/// Claims what arenas have.
pub(super) fn claim_arenas(space: &mut Space<'_>, malloc: &HeapState) {
    for arena in &malloc.arenas {
        let (owner, evidence) = match arena.main {
            true => (MAIN, "malloc's own lists; pieces by their first chunk"),
            false => (THREADS, "heaps that name their arena"),
        };
        let mut heaps = arena.heaps.clone();
        if heaps.is_empty() && arena.main {
            let heap = space.areas().iter().find(|area| area.mapping.is_heap());
            heaps.extend(heap.map(|area| area.mapping.start..area.mapping.end));
        }
        let row = space.row(Kind::MallocArena, owner, evidence);
        for heap in heaps {
            space.claim(whole(heap), row);
        }
    }
    for main in [true, false] {
        let some = || malloc.arenas.iter().filter(|arena| arena.main == main);
        let sum = |of: fn(&Arena) -> Option<u64>| some().map(of).sum::<Option<u64>>();
        let free = sum(|arena| Some(arena.free?.resident_bytes));
        let returnable = sum(|arena| Some(arena.free?.returnable_bytes));
        if let Some(free) = free.filter(|_| some().next().is_some()) {
            let owner = if main { MAIN } else { THREADS };
            let row = space.row(Kind::MallocArena, owner, "");
            space.is_free(row, free, returnable);
        }
    }
}

/// Claims blocks with mappings of their own: each begins with its size, which is that of whole pages
/// and says that it is one. No more than malloc itself counts are believed.
pub(super) fn claim_blocks(space: &mut Space<'_>, malloc: &HeapState) {
    let Some(Mmapped { count, bytes, .. }) = malloc.mmapped.filter(|blocks| blocks.count > 0)
    else {
        return;
    };
    let mut found = Vec::new();
    // One stands where its mapping begins, or behind another; most do. It may go on in the next.
    let starts: Vec<u64> = space.unclaimed().iter().map(|gap| gap.start).collect();
    let mut left = space.unclaimed_joined();
    follow(space, &mut left, &starts, &mut found);
    if (found.len() as u64) < count {
        let mut pages = space.resident_multiples(&left, page_size_bytes());
        pages.truncate(MOST_PAGES);
        for some in pages.chunks(PAGES_AT_ONCE) {
            let mut some = some.to_vec();
            some.retain(|at| gap_of(&left, *at).is_some());
            follow(space, &mut left, &some, &mut found);
            if found.len() as u64 >= count {
                break;
            }
        }
    }
    let sum: u64 = found.iter().map(|block| block.end - block.start).sum();
    if found.len() as u64 > count || sum > bytes {
        return;
    }
    let evidence = format!("headers of {} of the {count} that malloc counts", found.len());
    let row = space.row(Kind::MallocBlock, "glibc's mmapped blocks", &evidence);
    for block in found {
        space.claim(block, row);
    }
}

/// Claims what the main arena took by mmap after the break was refused to it: pieces that begin with
/// a chunk of its kind, the largest first, and no more than malloc says that it has outside
/// `[heap]`.
pub(super) fn claim_pieces(space: &mut Space<'_>, malloc: &HeapState) {
    let Some(main) = malloc.arenas.iter().find(|arena| arena.main && malloc.non_contiguous) else {
        return;
    };
    let heap = space.areas().iter().find(|area| area.mapping.is_heap());
    let at_break = heap.map_or(0, |area| area.mapping.length_bytes());
    let mut left = main.system_bytes.saturating_sub(at_break);
    let gaps = space.unclaimed();
    let starts: Vec<u64> = gaps.iter().map(|gap| gap.start).collect();
    let mut pieces = Vec::new();
    space.heads(&starts, 16, |at, head| {
        let first = first_chunk_bytes(word(head, 8));
        let gap = gaps.iter().find(|gap| gap.start == at);
        let fits = |gap: &&Range<u64>| first.is_some_and(|bytes| bytes <= gap.end - gap.start);
        pieces.extend(gap.filter(fits).cloned());
    });
    pieces.sort_by_key(|piece| std::cmp::Reverse(piece.end - piece.start));
    let row = space.row(Kind::MallocArena, MAIN, "");
    for piece in pieces {
        // Other memory may follow in the same mapping.
        let length = left.min(piece.end - piece.start);
        left -= length;
        space.claim(piece.start..piece.start + length, row);
    }
}

/// Finds the blocks that begin at these places, in rising order, and those right behind them.
fn follow(
    space: &Space<'_>,
    left: &mut Vec<Range<u64>>,
    places: &[u64],
    found: &mut Vec<Range<u64>>,
) {
    let mut places = places.to_vec();
    while !places.is_empty() {
        let mut next = Vec::new();
        space.heads(&places, 16, |at, head| {
            let length = mmapped_block_bytes(word(head, 0), word(head, 8));
            let gap = gap_of(left, at);
            let Some((gap, end)) = gap.zip(length.and_then(|length| at.checked_add(length))) else {
                return;
            };
            let whole = left[gap].clone();
            if end > whole.end {
                return;
            }
            left.splice(gap..=gap, [whole.start..at, end..whole.end]);
            left.retain(|gap| gap.start < gap.end);
            found.push(at..end);
            if end < whole.end {
                next.push(end);
            }
        });
        places = next;
    }
}

/// Which of these ranges, in rising order, has an address.
fn gap_of(left: &[Range<u64>], at: u64) -> Option<usize> {
    let gap = left.partition_point(|gap| gap.end <= at);
    left.get(gap).is_some_and(|gap| gap.contains(&at)).then_some(gap)
}

fn whole(range: Range<u64>) -> Range<u64> {
    let page = page_size_bytes();
    range.start / page * page..range.end.checked_next_multiple_of(page).unwrap_or(range.end)
}
