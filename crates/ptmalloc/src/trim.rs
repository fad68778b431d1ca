//! What `malloc_trim(0)` would give back.
//!
//! It puts the chunks of the fast bins together with their free neighbours, then returns the whole
//! pages inside every free chunk, behind the links at its beginning; and where the main arena's top
//! ends at the break, all of it but a rest.
//!
//! # References
//! glibc `malloc/malloc.c` 2.31 to 2.44: `mtrim`, `systrim`, `malloc_consolidate`

use std::ops::Range;

use super::malloc_state::MallocState;
use super::map::FreeMap;
use super::walk::BinWalk;

/// `sizeof(struct malloc_chunk)`: a free chunk's own words, on pages that stay.
const CHUNK_BYTES: u64 = 48;
/// `MINSIZE`, which stays of the top, and one byte.
const KEPT_BYTES: u64 = 32 + 1;

/// What the prediction depends on besides the chunks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pages {
    /// Of the system.
    pub(super) page_bytes: u64,
    /// What the main arena's top shrinks by: a page, or a huge one.
    pub(super) top_step_bytes: u64,
}

/// What would be given back.
#[derive(Debug)]
pub(super) struct Given {
    /// Pages that would be if they are resident, in rising order.
    pub(super) pages: Vec<Range<u64>>,
    /// Whether some of them are the main arena's top.
    pub(super) has_top: bool,
}

/// What would be given back. Of what is locked or huge only the main arena's top can be.
pub(super) fn pages(
    walk: &BinWalk,
    order: &[u32],
    header: &MallocState,
    main: bool,
    map: &FreeMap,
    sizes: Pages,
) -> Given {
    let mut given = Vec::new();
    let mut top = header.top()..header.top() + walk.top_bytes;
    let mut add = |run: Range<u64>| {
        if run.end == top.start {
            top.start = run.start;
        } else {
            let pages = inside(&run, sizes.page_bytes);
            given.extend(pages.filter(|pages| !map.keeps(pages)));
        }
    };
    let mut run = 0..0;
    for index in order {
        let chunk = walk.chunks[*index as usize];
        if chunk.address == run.end {
            run.end = chunk.end();
        } else {
            add(std::mem::replace(&mut run, chunk.address..chunk.end()));
        }
    }
    add(run);
    let mut has_top = false;
    let at_break = main && map.break_end == Some(top.end);
    if at_break && !header.has_no_memory() {
        let length = (top.end - top.start).saturating_sub(KEPT_BYTES);
        let returned = length - length % sizes.top_step_bytes;
        if returned > 0 {
            let place = given.partition_point(|pages| pages.start < top.end);
            given.insert(place, top.end - returned..top.end);
            has_top = true;
        }
    }
    Given {
        pages: given,
        has_top,
    }
}

fn inside(run: &Range<u64>, page_bytes: u64) -> Option<Range<u64>> {
    let start = (run.start + CHUNK_BYTES).next_multiple_of(page_bytes);
    let end = run.end - run.end % page_bytes;
    (start < end).then_some(start..end)
}
