//! The chunks in use that keep free memory resident: those on the pages that runs of it end on.
//!
//! Chunks in use are in no list. But between two runs of free memory lie nothing but such, one behind
//! the other, and each begins with its size: followed from the end of one run, they have to end
//! exactly where the next one begins, or nothing is said of them. They aren't looked at where they
//! lie far apart from anything free, and only where they are resident.

use std::ops::Range;

use proc_memory::{joined_ranges, word};
use serde::{Deserialize, Serialize};

use super::chunk::{ALIGNMENT_BYTES, FLAGS, SMALLEST_BYTES};
use super::error::Unreadable;
use super::heap_info::HeapInfos;
use super::memory::TargetMemory;
use super::size_class::SizeClass;

/// Chunks are counted below these sizes, and above them all.
const BELOW_BYTES: [u64; 6] = [48, 64, 128, 256, 1 << 10, u64::MAX];
/// What is in use between two runs and longer than this is left out: of what would be read only the
/// ends pin anything.
const LONGEST_BYTES: u64 = 16 << 10;
/// Read at once.
const GAPS: usize = 32;

/// Chunks in use that share a page with free memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct PinningChunks {
    /// How many were found.
    pub count: u64,
    /// Bytes of all of them, headers included.
    pub bytes: u64,
    /// On so many pages, of the [`Runs::mixed_pages`](crate::Runs::mixed_pages).
    pub pages: u64,
    /// By size, the smallest first.
    pub by_size: [SizeClass; BELOW_BYTES.len()],
}

impl PinningChunks {
    /// What at least half of them are smaller than; `None` where the largest sizes have no bound.
    pub fn half_below_bytes(&self) -> Option<u64> {
        let mut smaller = 0;
        let half = self.by_size.iter().find(|class| {
            smaller += class.count;
            2 * smaller >= self.count
        });
        half?.below_bytes
    }

    /// Those of two arenas.
    pub(super) fn plus(mut self, other: Self) -> Self {
        self.count += other.count;
        self.bytes += other.bytes;
        self.pages += other.pages;
        SizeClass::sum(&mut self.by_size, &other.by_size);
        self
    }

    /// Reads what lies between runs of free memory, which rise, up to so many bytes of it.
    pub(super) fn between(
        runs: &[Range<u64>],
        memory: &mut impl TargetMemory,
        heaps: &HeapInfos<'_>,
        page_bytes: u64,
    ) -> Result<Self, Unreadable> {
        let mut found = Self { by_size: SizeClass::below(BELOW_BYTES), ..Self::default() };
        let most_bytes = memory.limits().pinning_bytes;
        let mut read_bytes = 0;
        let between = runs.windows(2).map(|pair| pair[0].end..pair[1].start);
        let gaps: Vec<Range<u64>> = between
            .filter(|gap| (1..=LONGEST_BYTES).contains(&length(gap)) && heaps.hold(gap))
            .take_while(|gap| {
                read_bytes += length(gap);
                read_bytes <= most_bytes
            })
            .collect();
        let mut last_page = None;
        let mut bytes = Vec::new();
        for some in gaps.chunks(GAPS) {
            let some = resident(some, memory, page_bytes)?;
            bytes.clear();
            memory.read(&some, &mut bytes)?;
            let mut rest = &bytes[..];
            for gap in some {
                let (here, behind) = rest.split_at(length(&gap) as usize);
                found.add(here, &gap, page_bytes, &mut last_page);
                rest = behind;
            }
        }
        Ok(found)
    }

    /// Adds what shares a page with the run before or behind.
    fn add(
        &mut self,
        bytes: &[u8],
        gap: &Range<u64>,
        page_bytes: u64,
        last_page: &mut Option<u64>,
    ) {
        if !each(bytes, |_| {}) {
            return;
        }
        for end in [gap.start, gap.end] {
            let page = end - end % page_bytes;
            if page != end && last_page.replace(page) != Some(page) {
                self.pages += 1;
            }
        }
        let first_end = gap.start.next_multiple_of(page_bytes);
        let last_start = gap.end - gap.end % page_bytes;
        each(bytes, |chunk| {
            if gap.start + chunk.start < first_end || gap.start + chunk.end > last_start {
                self.count += 1;
                self.bytes += length(&chunk);
                SizeClass::add(&mut self.by_size, length(&chunk));
            }
        });
    }
}

/// Tells each chunk by where it lies in these bytes; whether the last one ends where they do.
fn each(bytes: &[u8], mut tell: impl FnMut(Range<u64>)) -> bool {
    let mut at = 0;
    while at + SMALLEST_BYTES <= bytes.len() as u64 {
        let size = word(bytes, at as usize + 8) & !FLAGS;
        let end = at.saturating_add(size);
        let is_one = size >= SMALLEST_BYTES && size.is_multiple_of(ALIGNMENT_BYTES);
        if !is_one || end > bytes.len() as u64 {
            return false;
        }
        tell(at..end);
        at = end;
    }
    at == bytes.len() as u64
}

/// Those of which all is.
fn resident(
    gaps: &[Range<u64>],
    memory: &mut impl TargetMemory,
    page_bytes: u64,
) -> Result<Vec<Range<u64>>, Unreadable> {
    let pages =
        |gap: &Range<u64>| gap.start - gap.start % page_bytes..gap.end.next_multiple_of(page_bytes);
    let pages = memory.resident(&joined_ranges(gaps.iter().map(pages)))?;
    let pages = joined_ranges(pages);
    let is_there = |gap: &&Range<u64>| {
        let found = pages.partition_point(|pages| pages.end <= gap.start);
        pages.get(found).is_some_and(|pages| pages.start <= gap.start && gap.end <= pages.end)
    };
    Ok(gaps.iter().filter(is_there).cloned().collect())
}

fn length(range: &Range<u64>) -> u64 {
    range.end - range.start
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake::Fake;
    use crate::map::FreeMap;

    const START: u64 = 0x40_0000;
    const PAGE: u64 = 4096;

    /// What lies between runs that end and begin there, where chunks of these sizes stand.
    fn found(runs: &[Range<u64>], chunks: &[(u64, &[u64])]) -> PinningChunks {
        let mut memory = Fake::new(START, 64 * PAGE);
        for (start, sizes) in chunks {
            let mut at = START + start;
            for size in *sizes {
                memory.write(at + 8, size | 1);
                at = at.wrapping_add(*size);
            }
        }
        let mut map = FreeMap::default();
        map.add(START..START + 64 * PAGE);
        let heaps = HeapInfos::Within(&map, START..START + 64 * PAGE);
        let runs: Vec<_> = runs.iter().map(|run| START + run.start..START + run.end).collect();
        PinningChunks::between(&runs, &mut memory, &heaps, PAGE).unwrap()
    }

    #[test]
    fn what_shares_a_page_with_free_memory_pins_it_and_what_lies_between_does_not() {
        let runs = [0..PAGE + 96, 5 * PAGE + 32..8 * PAGE];
        let chunks: [(u64, &[u64]); 1] = [(PAGE + 96, &[32, PAGE - 128, 2 * PAGE, PAGE - 16, 48])];
        let found = found(&runs, &chunks);
        assert_eq!((found.count, found.pages), (3, 2), "{found:?}");
        assert_eq!(found.bytes, 32 + PAGE - 128 + 48);
        let counts = found.by_size.map(|class| class.count);
        assert_eq!(counts, [1, 1, 0, 0, 0, 1]);
        assert_eq!(found.half_below_bytes(), Some(64));
    }

    #[test]
    fn a_page_with_several_runs_counts_once() {
        let runs = [0..64, 96..160, 224..PAGE];
        let found = found(&runs, &[(64, &[32]), (160, &[32, 32])]);
        assert_eq!((found.count, found.pages, found.bytes), (3, 1, 96));
    }

    #[test]
    fn sizes_that_lead_elsewhere_say_nothing() {
        let runs = [0..64, 160..PAGE];
        for sizes in [&[32, 32][..], &[32, 96], &[64, 16], &[8, 88], &[u64::MAX - 15]] {
            assert_eq!(found(&runs, &[(64, sizes)]).count, 0, "{sizes:?}");
        }
        assert_eq!(found(&runs, &[(64, &[32, 64])]).count, 2);
    }

    #[test]
    fn what_is_long_is_left_out() {
        let runs = [0..64, 64 + LONGEST_BYTES + 16..10 * PAGE];
        assert_eq!(found(&runs, &[(64, &[LONGEST_BYTES + 16])]).count, 0);
    }
}
