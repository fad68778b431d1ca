//! PHP's memory manager: chunks of 2 MiB, in a ring, which all name one heap; chunks that it keeps for
//! later, and huge blocks, which that heap lists.
//!
//! # References
//! PHP 7.0 to 8.2, `Zend/zend_alloc.c`: `struct _zend_mm_chunk`, `struct _zend_mm_heap`,
//! `zend_mm_huge_list`

use std::ops::Range;

use proc_memory::word;

use super::row::Kind;
use super::space::Space;

const CHUNK_BYTES: u64 = 2 << 20;
const PAGE_BYTES: u64 = 4096;
/// As much of the heap as is looked at for its first chunk, before which its huge blocks stand.
const HEAP_BYTES: u64 = 512;
const MOST_HUGE: usize = 1 << 16;
const MOST_CACHED: usize = 1 << 16;

/// Claims chunks and huge blocks.
pub(super) fn claim(space: &mut Space<'_>) {
    if !space.has_file(&["php", "libphp", "apache2"]) {
        return;
    }
    let unclaimed = space.unclaimed();
    let places = space.resident_multiples(&unclaimed, CHUNK_BYTES);
    let mut chunks: Vec<[u64; 5]> = Vec::new();
    space.heads(&places, 32, |at, head| {
        let [heap, next, previous, free] = [0, 8, 16, 24].map(|offset| word(head, offset));
        let aligned = next.is_multiple_of(CHUNK_BYTES) && previous.is_multiple_of(CHUNK_BYTES);
        let free_pages = free & 0xffff_ffff;
        if heap > 0 && next > 0 && previous > 0 && aligned && free_pages < CHUNK_BYTES / PAGE_BYTES
        {
            chunks.push([at, heap, next, previous, free_pages]);
        }
    });
    // Each is the next one's previous, and the heap is in the one that it calls its main chunk.
    let at = |wanted: u64| chunks.iter().find(|[at, ..]| *at == wanted);
    let is_linked = |[this, heap, next, ..]: &&[u64; 5]| {
        at(*next).is_some_and(|[_, theirs, _, previous, _]| theirs == heap && previous == this)
    };
    let linked: Vec<&[u64; 5]> = chunks.iter().filter(is_linked).collect();
    let Some([_, heap, ..]) = linked.first() else { return };
    let record = heap.checked_add(HEAP_BYTES).and_then(|end| space.read(*heap..end));
    let words: Vec<u64> =
        record.iter().flat_map(|all| all.chunks_exact(8)).map(|one| word(one, 0)).collect();
    let main_chunk = heap & !(CHUNK_BYTES - 1);
    let Some(main) = words.iter().rposition(|word| *word == main_chunk).filter(|at| *at > 0) else {
        return;
    };
    let evidence = "a ring of chunks that name one heap, and the heap's list of huge blocks";
    let row = space.row(Kind::Runtime, "PHP's memory manager", evidence);
    for [at, _, _, _, free_pages] in linked {
        if space.claim(*at..*at + CHUNK_BYTES, row) {
            space.is_used(row, CHUNK_BYTES - free_pages * PAGE_BYTES);
        }
    }
    let mut cached = words.get(main + 1).copied().unwrap_or(0);
    for _ in 0..MOST_CACHED {
        let chunk = cached..cached.saturating_add(CHUNK_BYTES);
        let is_one = cached > 0 && cached.is_multiple_of(CHUNK_BYTES);
        // Nothing of it is in use. One that is known already ends the list, which may be damaged.
        if !is_one || !space.is_within_anonymous(&chunk) || !space.claim(chunk, row) {
            break;
        }
        cached = space.read(cached + 8..cached + 16).map_or(0, |next| word(&next, 0));
    }
    for block in huge(space, words[main - 1]) {
        if space.is_within_anonymous(&block) && space.claim(block.clone(), row) {
            space.is_used(row, block.end - block.start);
        }
    }
}

fn huge(space: &Space<'_>, first: u64) -> Vec<Range<u64>> {
    let mut blocks = Vec::new();
    let mut entry = first;
    while entry != 0 && blocks.len() < MOST_HUGE {
        let Some(bytes) = entry.checked_add(24).and_then(|end| space.read(entry..end)) else {
            break;
        };
        let (start, length) = (word(&bytes, 0), word(&bytes, 8));
        blocks.extend(start.checked_add(length).map(|end| start..end));
        entry = word(&bytes, 16);
    }
    blocks
}
