//! Ruby's heap: pages of 16 or 64 KiB, each of which names a record that names the page's first slot.
//!
//! # References
//! Ruby 3.1 to 3.3, `gc.c`: `struct heap_page_header`, `struct heap_page`

use proc_memory::word;

use super::row::Kind;
use super::space::Space;

/// `HEAP_PAGE_SIZE`: of 3.1, and since 3.2.
const PAGE_BYTES: [u64; 2] = [16 << 10, 64 << 10];
const RECORD_BYTES: usize = 64;
/// The first slot lies this near to the page's beginning.
const FIRST_SLOT_BYTES: u64 = 256;

/// Claims all pages.
pub(super) fn claim(space: &mut Space<'_>) {
    if !space.has_file(&["ruby", "libruby"]) {
        return;
    }
    for page_bytes in PAGE_BYTES {
        let unclaimed = space.unclaimed();
        let places = space.resident_multiples(&unclaimed, page_bytes);
        let mut pages: Vec<(u64, u64)> = Vec::new();
        space.heads(&places, 8, |at, head| pages.push((word(head, 0), at)));
        pages.retain(|(record, _)| record.is_multiple_of(8) && space.area_at(*record).is_some());
        pages.sort_unstable();
        let records: Vec<u64> = pages.iter().map(|(record, _)| *record).collect();
        let mut found = Vec::new();
        space.heads(&records, RECORD_BYTES, |record, bytes| {
            let page = pages.binary_search_by_key(&record, |(record, _)| *record);
            let Some((_, at)) = page.ok().and_then(|index| pages.get(index)) else { return };
            let mut words = bytes.chunks_exact(8).map(|eight| word(eight, 0));
            let names_it = words.any(|word| (at + 8..at + FIRST_SLOT_BYTES).contains(&word));
            found.extend(
                used(word(bytes, 0), page_bytes).filter(|_| names_it).map(|used| (*at, used)),
            );
        });
        if found.is_empty() {
            continue;
        }
        let evidence = "pages and records that name each other";
        let row = space.row(Kind::Runtime, "Ruby's objects", evidence);
        found.sort_unstable();
        space.is_used(row, found.iter().map(|(_, used)| used).sum());
        for run in found.chunk_by(|(one, _), (next, _)| one + page_bytes == *next) {
            space.claim(run[0].0..run[run.len() - 1].0 + page_bytes, row);
        }
        return;
    }
}

/// Bytes in use, from what the record begins with: a slot's size, how many there are, and are free.
/// They nearly fill the page.
fn used(first: u64, page_bytes: u64) -> Option<u64> {
    let [size, total, free] = [0, 16, 32].map(|shift| first >> shift & 0xffff);
    let fills = (page_bytes / 4 * 3..=page_bytes).contains(&(size * total)) && free <= total;
    fills.then(|| size * (total - free))
}
