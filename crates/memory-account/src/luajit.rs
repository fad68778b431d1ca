//! LuaJIT's own allocator: a state in its first segment, a chain of segments that ends there, and large blocks with mappings of their own.
//!
//! # References
//! LuaJIT 2.0 and 2.1, `src/lj_alloc.c`: `struct malloc_state`, `struct malloc_segment`,
//! `direct_alloc`

use std::ops::Range;

use proc_memory::{page_size_bytes, word};
use ptmalloc::mmapped_block_bytes;

use super::row::Kind;
use super::space::Space;

/// The state's own chunk.
const STATE_BYTES: Range<u64> = 0x200..0x800;
/// Of a chunk in use: it is, and so is what is before it, or not.
const IN_USE: u64 = 3;
const HELD: u64 = 2;
const FLAGS: u64 = 7;
/// Segments grow by multiples of it.
const GRANULARITY_BYTES: u64 = 64 << 10;
const MOST_SEGMENTS: usize = 1 << 16;
/// What lies behind a large block in its mapping.
const FOOT_BYTES: u64 = 32;
/// Pages that are looked at.
const MOST_PAGES: usize = 1 << 16;
/// Blocks that follow one another.
const MOST_ROUNDS: usize = 1 << 10;

/// Claims all states' memory.
pub(super) fn claim(space: &mut Space<'_>) {
    if !space.has_file(&["luajit", "libluajit"]) {
        return;
    }
    let (states, mut large) = look(space, &likely(space));
    let mut chains: Vec<_> = states.into_iter().filter_map(|at| chain(space, at)).collect();
    if chains.is_empty() {
        // It lies behind something else.
        let mut pages = space.resident_multiples(&space.unclaimed(), page_size_bytes());
        pages.truncate(MOST_PAGES);
        let (states, more) = look(space, &pages);
        chains.extend(states.into_iter().filter_map(|at| chain(space, at)));
        large.extend(more);
    }
    if chains.is_empty() {
        return;
    }
    let evidence = "segments in a chain from its allocator's state, and headers of large blocks";
    let row = space.row(Kind::Runtime, "LuaJIT's objects", evidence);
    for segment in chains.into_iter().flatten() {
        space.claim(segment, row);
    }
    large.extend(look(space, &likely(space)).1);
    for (block, length) in large {
        // Behind a block stands that nothing follows.
        let fence = space.read(block.start + length + 8..block.start + length + 16);
        let is_fenced = fence.is_some_and(|fence| word(&fence, 0) & FLAGS == IN_USE);
        if is_fenced && space.is_within_anonymous(&block) {
            space.claim(block, row);
        }
    }
}

/// Where segments may begin: what lies beside one in the same mapping are mostly others.
fn likely(space: &Space<'_>) -> Vec<u64> {
    let mut places = Vec::new();
    for gap in space.unclaimed() {
        let odd = (gap.end - gap.start) % GRANULARITY_BYTES;
        for part in space.resident(std::slice::from_ref(&gap)) {
            for origin in [gap.start, gap.start + odd] {
                let before = part.start.saturating_sub(origin);
                let first = origin + before.next_multiple_of(GRANULARITY_BYTES);
                places.extend((first..part.end).step_by(GRANULARITY_BYTES as usize));
            }
        }
    }
    places.sort_unstable();
    places.dedup();
    places.truncate(MOST_PAGES);
    places
}

/// What may be states, and large blocks with their lengths, at these places and right behind blocks
/// that begin there: most begin where a mapping does.
fn look(space: &Space<'_>, places: &[u64]) -> (Vec<u64>, Vec<(Range<u64>, u64)>) {
    let (mut states, mut large) = (Vec::new(), Vec::new());
    let mut places = places.to_vec();
    for _ in 0..MOST_ROUNDS {
        let mut next = Vec::new();
        space.heads(&places, 16, |at, head| {
            let [before, size] = [0, 8].map(|offset| word(head, offset));
            let length = size & !FLAGS;
            if matches!(size & FLAGS, HELD | IN_USE) && STATE_BYTES.contains(&length) {
                states.push(at);
            }
            // `IS_DIRECT_BIT`, `CINUSE_BIT`.
            let whole = length.checked_add(FOOT_BYTES);
            let whole = whole.and_then(|whole| whole.checked_next_multiple_of(page_size_bytes()));
            if let Some(end) = whole.and_then(|whole| at.checked_add(whole))
                && before == 1
                && size & FLAGS == HELD
                && length >= GRANULARITY_BYTES
            {
                large.push((at..end, length));
                next.push(end);
            }
            // glibc has taken it, at about the same time.
            let block = mmapped_block_bytes(before, size);
            next.extend(block.and_then(|block| at.checked_add(block)));
        });
        next.retain(|at| space.area_at(*at).is_some());
        if next.is_empty() {
            break;
        }
        places = next;
    }
    (states, large)
}

/// The segments of the state at a place, if it is one.
fn chain(space: &Space<'_>, state: u64) -> Option<Vec<Range<u64>>> {
    let bytes = space.read(state..state + STATE_BYTES.end)?;
    let words: Vec<u64> = bytes.chunks_exact(8).map(|eight| word(eight, 0)).collect();
    words.windows(3).find_map(|words| {
        let mut entry = [words[0], words[1], words[2]];
        let mut segments = Vec::new();
        while segments.len() < MOST_SEGMENTS {
            let [base, size, next] = entry;
            let is_segment = base > 0
                && base.is_multiple_of(page_size_bytes())
                && size > 0
                && size.is_multiple_of(GRANULARITY_BYTES);
            let segment = base..base.checked_add(size).filter(|_| is_segment)?;
            if !space.is_within_anonymous(&segment) {
                return None;
            }
            // It may have been enlarged downwards.
            let is_first = segment.contains(&state);
            segments.push(segment);
            if next == 0 {
                return is_first.then_some(segments);
            }
            let bytes = space.read(next..next.checked_add(24)?)?;
            entry = [0, 8, 16].map(|offset| word(&bytes, offset));
        }
        None
    })
}
