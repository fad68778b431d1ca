//! V8's heap: chunks that begin with their size, the heap that they belong to, and where what lies
//! in them begins and ends.
//!
//! # References
//! V8 10.2 to 11.3, `src/heap/basic-memory-chunk.h`, `src/heap/memory-chunk-layout.h`

use std::ops::Range;

use proc_memory::word;

use super::row::Kind;
use super::space::Space;

/// Chunks begin at multiples of it.
const ALIGNMENT_BYTES: u64 = 256 << 10;
const HEADER_BYTES: usize = 256;
/// Fewer that name the same heap prove nothing.
const LEAST_CHUNKS: usize = 4;

struct Chunk {
    range: Range<u64>,
    heap: u64,
}

/// Claims all chunks of the heap that has most.
pub(super) fn claim(space: &mut Space<'_>) {
    let unclaimed = space.unclaimed();
    let places = space.resident_multiples(&unclaimed, ALIGNMENT_BYTES);
    let mut chunks = Vec::new();
    space.heads(&places, HEADER_BYTES, |at, head| chunks.extend(chunk(at, head)));
    let heaps = |heap: u64| chunks.iter().filter(|chunk| chunk.heap == heap).count();
    let Some(heap) = chunks.iter().map(|chunk| chunk.heap).max_by_key(|heap| heaps(*heap)) else {
        return;
    };
    if heaps(heap) < LEAST_CHUNKS {
        return;
    }
    let evidence = "chunks whose headers fit together and name one heap";
    let row = space.row(Kind::Runtime, "V8's heap", evidence);
    for chunk in chunks.into_iter().filter(|chunk| chunk.heap == heap) {
        if space.is_within_anonymous(&chunk.range) {
            space.claim(chunk.range, row);
        }
    }
}

/// What may be one. Its size stands twice: by itself, and beside its own address.
fn chunk(at: u64, head: &[u8]) -> Option<Chunk> {
    let [size, heap, start, end] = [0, 16, 24, 32].map(|offset| word(head, offset));
    let range = at..at.checked_add(size)?;
    let words: Vec<u64> = head.chunks_exact(8).map(|eight| word(eight, 0)).collect();
    let is_stated_twice = words.windows(2).skip(6).any(|pair| pair == [at, size]);
    let fits =
        size.is_multiple_of(4096) && heap > 0 && at < start && start < end && end <= range.end;
    (fits && is_stated_twice).then_some(Chunk { range, heap })
}
