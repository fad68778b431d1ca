//! mimalloc: segments of 32 MiB, each of which begins with a record of itself and of what its slices
//! are. Blocks that other threads have freed count as in use until their own thread takes them back.
//!
//! Little of what is free goes back when `mi_collect(true)` is called: segments in which nothing is
//! in use, and of the others what was freed a while ago, if one more page is found to be unused; of
//! several such, the first has it given back, and the others are put off.
//!
//! # References
//! mimalloc 2.0.9, `include/mimalloc-types.h` (`mi_segment_s`, `mi_page_s`),
//! `include/mimalloc-internal.h` (`_mi_ptr_cookie`), `src/segment.c` (`mi_segment_span_allocate`,
//! `mi_segment_span_free`, `mi_segment_perhaps_decommit`), `src/heap.c` (`mi_heap_collect_ex`)

use std::ops::Range;

use nix::sys::time::TimeSpec;
use nix::time::{ClockId, clock_gettime};
use proc_memory::word;

use super::row::Kind;
use super::space::Space;

/// Segments begin at multiples of it; only one with a single huge page has another size.
const SEGMENT_BYTES: u64 = 32 << 20;
const SLICE_BYTES: u64 = 64 << 10;
const SLICES: u64 = SEGMENT_BYTES / SLICE_BYTES;
/// Where in a segment the records of its slices begin, and how long they are.
const SLICES_OFFSET: usize = 264;
const SLICE_RECORD_BYTES: usize = 80;
const RECORDS_BYTES: usize = SLICES_OFFSET + SLICES as usize * SLICE_RECORD_BYTES;
/// `decommit_mask`, a bit for each slice, and `decommit_expire`.
const PUT_OFF_OFFSET: usize = 48;
const DUE_OFFSET: usize = 40;
/// `MI_HUGE_BLOCK_SIZE`: the block is as large as its page.
const HUGE: u64 = 2 << 30;
/// Segments whose slices are looked at.
const MOST_SEGMENTS: usize = 4096;
/// Readings of a program that is at work.
const TRIES: usize = 3;

/// Claims segments, and says what of them is free where their records agree.
pub(super) fn claim(space: &mut Space<'_>) {
    let places = space.resident_multiples(&space.unclaimed(), SEGMENT_BYTES);
    let mut segments = Vec::new();
    space.heads(&places, SLICES_OFFSET, |at, head| segments.extend(Segment::read(at, head)));
    segments.retain(|segment| space.is_within_anonymous(&segment.range));
    let Some(first) = segments.first() else { return };
    if segments.iter().any(|segment| segment.secret != first.secret) {
        return;
    }
    let evidence = "segments that name their addresses and their slices";
    let row = space.row(Kind::Allocator, "mimalloc", evidence);
    for segment in &segments {
        space.claim(segment.range.clone(), row);
    }
    if segments.len() > MOST_SEGMENTS {
        return;
    }
    let shares = segments.iter().map(|segment| {
        let start = segment.range.start;
        (0..TRIES).find_map(|_| shares(space, start, &records(space, start)?))
    });
    if let Some(shares) = shares.collect::<Option<Vec<_>>>() {
        space.is_used(row, shares.iter().map(|[used, _]| used).sum());
        space.is_free(row, 0, Some(shares.iter().map(|[_, returnable]| returnable).sum()));
    }
}

/// What a segment says of itself.
struct Segment {
    range: Range<u64>,
    /// Its address, encoded: with the same key in each segment of a process.
    secret: u64,
    /// Its first slices, which hold the records.
    own: u64,
    /// Slices of which there are records: of a huge page's, not all.
    recorded: u64,
    slices: u64,
    /// Pages in use.
    pages: u64,
}

impl Segment {
    fn read(at: u64, head: &[u8]) -> Option<Self> {
        let [abandoned, _, pages, cookie, slices, own, kind, recorded] =
            [192, 200, 208, 216, 224, 232, 240, 248].map(|offset| word(head, offset));
        let fits = match kind & 0xffff_ffff {
            0 => slices == SLICES && recorded == SLICES,
            1 => recorded == slices.min(SLICES) && pages <= 1,
            _ => false,
        };
        let range = at..at.checked_add(slices.checked_mul(SLICE_BYTES)?)?;
        let secret = at ^ cookie;
        let agrees = abandoned <= pages && pages < slices && (1..recorded).contains(&own);
        (fits && agrees && secret != 0).then_some(Self {
            range,
            secret,
            own,
            recorded,
            slices,
            pages,
        })
    }
}

/// The records of a segment as they are now. Memory that was never touched is not touched by this.
fn records(space: &Space<'_>, start: u64) -> Option<Vec<u8>> {
    let mut records = vec![0; RECORDS_BYTES];
    let place = start..start + RECORDS_BYTES as u64;
    for part in space.resident(std::slice::from_ref(&place)) {
        let place = [part.start, part.end].map(|address| (address - start) as usize);
        records[place[0]..place[1]].copy_from_slice(&space.read(part)?);
    }
    Some(records)
}

/// Bytes in use, and resident ones that would be given back. `None` if the records don't fit
/// together, as while they are written.
fn shares(space: &Space<'_>, start: u64, records: &[u8]) -> Option<[u64; 2]> {
    let segment = Segment::read(start, records)?;
    let resident = |slices: Range<u64>| {
        let bytes = start + slices.start * SLICE_BYTES..start + slices.end * SLICE_BYTES;
        space.resident_bytes(std::slice::from_ref(&bytes))
    };
    let whole = resident(0..segment.slices);
    // It is kept for the next one who needs a segment.
    if segment.pages == 0 {
        return Some([0, whole]);
    }
    let [mut first, mut pages, mut used] = [segment.own, 0, 0];
    let mut unused = None;
    while first < segment.recorded {
        let record = &records[SLICES_OFFSET + first as usize * SLICE_RECORD_BYTES..];
        let [slices, offset, blocks, block_bytes] =
            [0, 4, 24, 28].map(|at| u64::from(word(record, at) as u32));
        let end = first + slices;
        let bytes = if block_bytes == HUGE { slices * SLICE_BYTES } else { blocks * block_bytes };
        if slices == 0 || offset != 0 || end > segment.slices || bytes > slices * SLICE_BYTES {
            return None;
        }
        pages += u64::from(block_bytes > 0);
        match (blocks, block_bytes) {
            (0, 0) => {}
            (0, _) => unused = unused.or(Some(first..end)),
            _ => used += bytes.min(resident(first..end)),
        }
        first = end;
    }
    if pages != segment.pages || first != segment.slices {
        return None;
    }
    let returnable = match (used, unused) {
        // It becomes one without pages.
        (0, _) => whole,
        (_, Some(page)) if is_overdue(records) => {
            let put_off = (0..SLICES).filter(|slice| is_put_off(records, *slice));
            put_off.map(|slice| resident(slice..slice + 1)).sum::<u64>() + resident(page)
        }
        _ => 0,
    };
    Some([used + resident(0..segment.own), returnable])
}

/// Whether a slice is to be given back with others (`decommit_mask`).
fn is_put_off(records: &[u8], slice: u64) -> bool {
    let mask = word(records, PUT_OFF_OFFSET + (slice / 64 * 8) as usize);
    mask >> (slice % 64) & 1 == 1
}

/// Whether it is time to give that back (`decommit_expire`, in milliseconds of mimalloc's clock; 0 for
/// never). In a time namespace that clock may be another one.
fn is_overdue(records: &[u8]) -> bool {
    let due = word(records, DUE_OFFSET).cast_signed();
    let now = clock_gettime(ClockId::CLOCK_MONOTONIC);
    let passed = |now: TimeSpec| now.tv_sec() * 1000 + now.tv_nsec() / 1_000_000 > due;
    due > 0 && now.is_ok_and(passed)
}
