//! Runs of free memory: chunks that lie side by side, the top among them; how large they are, and
//! the pages at their ends, which chunks in use share.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::malloc_state::MallocState;
use super::pinning::PinningChunks;
use super::size_class::SizeClass;
use super::walk::BinWalk;

/// Runs are counted below these sizes, and above them all.
const BELOW_BYTES: [u64; 4] = [4 << 10, 64 << 10, 1 << 20, u64::MAX];

/// Runs of free memory in an arena. However many pages within them are given back, those that chunks
/// in use share stay.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Runs {
    /// How many there are.
    pub count: u64,
    /// Pages that hold both free memory and chunks in use.
    pub mixed_pages: u64,
    /// What chunks in use have of those pages: if they weren't, all of them could go back.
    pub mixed_used_bytes: u64,
    /// By size, the smallest first.
    pub by_size: [SizeClass; BELOW_BYTES.len()],
    /// The chunks in use on those pages. `None` where little stays resident for them, and of one of
    /// many processes ([`ExaminationLimits::BRIEF`](crate::ExaminationLimits::BRIEF)).
    #[serde(default)]
    pub pinning: Option<PinningChunks>,
}

/// Tells each run, in rising order. `order` are the chunks by their addresses.
pub(super) fn each(
    walk: &BinWalk,
    order: &[u32],
    header: &MallocState,
    mut tell: impl FnMut(Range<u64>),
) {
    let mut run = 0..0;
    let mut add = |next: Range<u64>| {
        if next.start == run.end {
            run.end = next.end;
            return;
        }
        let before = std::mem::replace(&mut run, next);
        if before.start < before.end {
            tell(before);
        }
    };
    let top = header.top()..header.top().saturating_add(walk.top_bytes);
    let below_top = order.partition_point(|index| walk.chunks[*index as usize].address < top.start);
    let chunk = |index: &u32| {
        let chunk = walk.chunks[*index as usize];
        chunk.address..chunk.end()
    };
    order[..below_top].iter().map(chunk).for_each(&mut add);
    // What was begun is told when the next one begins; nothing goes on behind the top.
    let end = || u64::MAX..u64::MAX;
    if walk.top_bytes > 0 {
        add(top);
        add(end());
    }
    order[below_top..].iter().map(chunk).for_each(&mut add);
    add(end());
}

impl Runs {
    /// Of an arena whose chunks were collected.
    pub(super) fn of(walk: &BinWalk, order: &[u32], header: &MallocState, page_bytes: u64) -> Self {
        let mut runs = Self { by_size: SizeClass::below(BELOW_BYTES), ..Self::default() };
        // The last page that is mixed, and what is free of it.
        let mut page = u64::MAX;
        let mut free_of_pages = 0;
        each(walk, order, header, |run| {
            runs.count += 1;
            SizeClass::add(&mut runs.by_size, run.end - run.start);
            let [first, last] = [run.start, run.end - 1].map(|at| at - at % page_bytes);
            let ends = [Some(first), (last != first).then_some(last)];
            for at in ends.into_iter().flatten() {
                let part = run.end.min(at + page_bytes) - run.start.max(at);
                if part < page_bytes {
                    runs.mixed_pages += u64::from(page != at);
                    page = at;
                    free_of_pages += part;
                }
            }
        });
        runs.mixed_used_bytes = (runs.mixed_pages * page_bytes).saturating_sub(free_of_pages);
        runs
    }

    /// Those of two arenas.
    pub(super) fn plus(mut self, other: Self) -> Self {
        self.count += other.count;
        self.mixed_pages += other.mixed_pages;
        self.mixed_used_bytes += other.mixed_used_bytes;
        SizeClass::sum(&mut self.by_size, &other.by_size);
        self.pinning = match (self.pinning, other.pinning) {
            (Some(one), Some(other)) => Some(one.plus(other)),
            (one, other) => one.or(other),
        };
        self
    }
}
