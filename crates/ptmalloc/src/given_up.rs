//! Where the break is, once malloc has given up on it.
//!
//! The kernel tells nobody where a process's break is. `[heap]` ends there, unless a mapping lies
//! right at it that looks like the heap: then the kernel makes both one. But when malloc is refused
//! a break, it closes the heap that it had: two chunks of 16 bytes, which nobody can take, are the
//! last thing before the break.
//!
//! # References
//! glibc `malloc/malloc.c`, `sysmalloc`: “double fencepost at old_top to prevent consolidating with
//! space that doesn't belong to us”; `vma_merge_new_range` in `mm/vma.c`

use std::ops::Range;

use proc_memory::{page_size_bytes, word};

use super::chunk::PREVIOUS_IN_USE;
use super::error::Unreadable;
use super::memory::TargetMemory;

/// The size word of such a chunk: 16 bytes.
const FENCEPOST: u64 = 16;
/// In a size word: the chunk before is in use. Before the first fencepost lies what was left of the
/// top, which malloc frees; before the second lies the first, which is never free.
/// It is looked for so far below the end: what LuaJIT and the like map there is smaller.
const MOST_BYTES: u64 = 64 << 20;
/// Pages of which the end is read at once.
const BATCH: usize = 512;
/// So many chunks in a row are malloc's own.
const CHAIN: usize = 256;

/// The break within this heap, if malloc's heap ends before it and something else follows.
pub(super) fn true_break(
    memory: &mut impl TargetMemory,
    heap: &Range<u64>,
) -> Result<Option<u64>, Unreadable> {
    let page = page_size_bytes();
    let lowest = heap.start.max(heap.end.saturating_sub(MOST_BYTES));
    let ends: Vec<u64> = (1..)
        .map_while(|pages| heap.end.checked_sub(pages * page))
        .take_while(|end| *end > lowest)
        .collect();
    let mut bytes = Vec::new();
    for ends in ends.chunks(BATCH) {
        let places: Vec<_> = ends.iter().map(|end| end - 32..*end).collect();
        bytes.clear();
        memory.read(&places, &mut bytes)?;
        let posts = |at: usize| {
            let (first, second) = (word(&bytes, at + 8), word(&bytes, at + 24));
            first & !PREVIOUS_IN_USE == FENCEPOST && second == FENCEPOST | PREVIOUS_IN_USE
        };
        if let Some(found) = (0..ends.len()).find(|index| posts(index * 32)) {
            let end = ends[found];
            let goes_on = is_malloc_s(memory, end..heap.end)?;
            return Ok((!goes_on).then_some(end));
        }
    }
    Ok(None)
}

/// Whether chunk follows chunk from here to the end: malloc has got the break back since.
fn is_malloc_s(memory: &mut impl TargetMemory, mut rest: Range<u64>) -> Result<bool, Unreadable> {
    let mut bytes = Vec::new();
    for _ in 0..CHAIN {
        bytes.clear();
        memory.read_one(rest.start + 8..rest.start + 16, &mut bytes)?;
        let size = word(&bytes, 0) & !7;
        let left = rest.end - rest.start;
        match size {
            32.. if size == left => return Ok(true),
            32.. if size.is_multiple_of(16) && size < left => rest.start += size,
            _ => return Ok(false),
        }
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake::Fake;

    const START: u64 = 0x40_0000;
    const BREAK: u64 = START + 0x8000;
    const HEAP: Range<u64> = START..START + 0x2_8000;

    fn closed() -> Fake {
        let mut memory = Fake::new(START, HEAP.end - START);
        memory.write(BREAK - 0x18, FENCEPOST);
        memory.write(BREAK - 0x8, FENCEPOST | PREVIOUS_IN_USE);
        memory
    }

    #[test]
    fn a_closed_heap_ends_at_the_break() {
        let mut memory = closed();
        assert_eq!(true_break(&mut memory, &HEAP), Ok(Some(BREAK)));
        // Something of the other's own.
        memory.write(BREAK + 8, 0x7f00_0000_1234);
        assert_eq!(true_break(&mut memory, &HEAP), Ok(Some(BREAK)));
        // What was left of the top is in use again.
        memory.write(BREAK - 0x18, FENCEPOST | PREVIOUS_IN_USE);
        assert_eq!(true_break(&mut memory, &HEAP), Ok(Some(BREAK)));
    }

    #[test]
    fn an_open_one_tells_nothing() {
        let mut memory = Fake::new(START, HEAP.end - START);
        assert_eq!(true_break(&mut memory, &HEAP), Ok(None));
        memory.write(BREAK - 0x18, FENCEPOST);
        assert_eq!(true_break(&mut memory, &HEAP), Ok(None), "one alone");
    }

    #[test]
    fn malloc_that_got_the_break_back_is_malloc() {
        let mut memory = closed();
        memory.write(BREAK + 8, 0x1000 | 1);
        memory.write(BREAK + 0x1008, (HEAP.end - BREAK - 0x1000) | 1);
        assert_eq!(true_break(&mut memory, &HEAP), Ok(None));
    }
}
