//! The memory that an arena's chunks lie in.
//!
//! The main arena's is the heap segment and whatever it got by mmap, which nobody keeps a list of;
//! the others' are heaps: aligned to their largest size, linked from the newest to the first, which
//! begins with the arena itself.
//!
//! # References
//! glibc `malloc/arena.c`: `heap_info`, `_int_new_arena`, `heap_for_ptr`

use std::ops::Range;

use proc_memory::word;

use super::chunk::{ALIGNMENT_BYTES, FLAGS};
use super::error::Inconsistency;
use super::malloc_state::MallocState;
use super::map::FreeMap;
use super::memory::TargetMemory;

/// `HEAP_MAX_SIZE`, then four times each size of huge page that `glibc.malloc.hugetlb` may have
/// chosen (on x86-64 and aarch64).
const LARGEST_HEAPS: [u64; 6] = [64 << 20, 8 << 20, 4 << 30, 128 << 20, 2 << 30, 256 << 10];
/// `sizeof(heap_info)` until 2.34, and since.
const HEAP_INFO_BYTES: [u64; 2] = [32, 48];
const LEAST_PAGE_BYTES: u64 = 4096;

/// The memory that an arena's chunks lie in.
#[derive(Clone, Debug)]
pub(super) enum HeapInfos<'a> {
    /// Any private writable memory within these bounds: the main arena's. They are the heap
    /// segment's, unless glibc gave up on that.
    Within(&'a FreeMap, Range<u64>),
    /// These, in rising order.
    Only(Vec<Range<u64>>),
}

impl<'a> HeapInfos<'a> {
    /// Those of the main arena. As long as it has nothing but the heap segment, its top's end and
    /// what it has tell where it begins.
    pub(super) fn of_main(
        map: &'a FreeMap,
        header: &MallocState,
        top_size_word: u64,
    ) -> Result<Self, Inconsistency> {
        if header.non_contiguous() || header.has_no_memory() {
            return Ok(Self::Within(map, 0..u64::MAX));
        }
        let end = header.top().checked_add(top_size_word & !FLAGS);
        let start = end.and_then(|end| end.checked_sub(header.system_bytes()));
        match (start, end) {
            (Some(start), Some(end)) => Ok(Self::Within(map, start..end)),
            _ => Err(Inconsistency::HeapInfos("the heap segment ends before it begins")),
        }
    }

    /// Those of any arena but the main one. Their sizes add up to what the arena has.
    pub(super) fn of(
        memory: &mut impl TargetMemory,
        map: &'a FreeMap,
        header: &MallocState,
    ) -> Result<Self, Inconsistency> {
        let mut why = Inconsistency::HeapInfos("there are none");
        for largest in LARGEST_HEAPS {
            match chain(memory, map, header, largest) {
                Ok(heaps) => return Ok(Self::Only(heaps)),
                Err(flaw @ Inconsistency::Unreadable(_)) => return Err(flaw),
                Err(flaw) if largest == LARGEST_HEAPS[0] => why = flaw,
                Err(_) => {}
            }
        }
        Err(why)
    }

    /// Whether a chunk can be there.
    pub(super) fn hold(&self, range: &Range<u64>) -> bool {
        match self {
            Self::Within(map, bounds) => {
                bounds.start <= range.start && range.end <= bounds.end && map.holds(range)
            }
            Self::Only(heaps) => {
                let after = heaps.partition_point(|heap| heap.start <= range.start);
                after > 0 && range.start <= range.end && range.end <= heaps[after - 1].end
            }
        }
    }

    /// The piece of memory that an address is in; an empty one if no chunk can be there.
    pub(super) fn around(&self, address: u64) -> Range<u64> {
        match self {
            Self::Within(map, bounds) => map.part_around(address, bounds),
            Self::Only(heaps) => heaps
                .iter()
                .find(|heap| heap.contains(&address))
                .map_or(address..address, Clone::clone),
        }
    }

    /// Where they are; nothing where only bounds are known.
    pub(super) fn ranges(&self) -> Vec<Range<u64>> {
        match self {
            Self::Within(_, bounds) if bounds.end == u64::MAX => Vec::new(),
            Self::Within(_, bounds) => vec![bounds.clone()],
            Self::Only(heaps) => heaps.clone(),
        }
    }

    /// Whether the top may end at this address: where its heap does.
    pub(super) fn may_end_at(&self, end: u64) -> bool {
        match self {
            Self::Within(..) => end.is_multiple_of(ALIGNMENT_BYTES),
            Self::Only(heaps) => heaps.iter().any(|heap| heap.end == end),
        }
    }
}

fn chain(
    memory: &mut impl TargetMemory,
    map: &FreeMap,
    header: &MallocState,
    largest: u64,
) -> Result<Vec<Range<u64>>, Inconsistency> {
    let mut heaps = Vec::new();
    let mut sum = 0_u64;
    let mut heap = header.top() & !(largest - 1);
    let mut bytes = Vec::new();
    loop {
        if !map.holds(&(heap..heap.saturating_add(64))) {
            return Err(Inconsistency::HeapInfos("one is nowhere"));
        }
        bytes.clear();
        memory.read_one(heap..heap + 32, &mut bytes)?;
        let [arena, previous, size, reached] = [0, 8, 16, 24].map(|at| word(&bytes, at));
        if arena != header.address {
            return Err(Inconsistency::HeapInfos("one belongs to another arena"));
        }
        let plausible = size.is_multiple_of(LEAST_PAGE_BYTES) && size > 0 && size <= largest;
        if !plausible || reached < size || !map.holds(&(heap..heap + size)) {
            return Err(Inconsistency::HeapInfos("one has an impossible size"));
        }
        sum = sum.saturating_add(size);
        if sum > header.system_bytes() {
            return Err(Inconsistency::HeapInfos("they are more than the arena has"));
        }
        heaps.push(heap..heap + size);
        if previous == 0 {
            break;
        }
        if !previous.is_multiple_of(largest) {
            return Err(Inconsistency::HeapInfos("one is not aligned"));
        }
        heap = previous;
    }
    let first = heap;
    heaps.sort_unstable_by_key(|heap| heap.start);
    let begins = HEAP_INFO_BYTES.contains(&header.address.wrapping_sub(first));
    let apart = heaps.is_sorted_by(|a, b| a.end <= b.start);
    if sum == header.system_bytes() && begins && apart {
        Ok(heaps)
    } else {
        Err(Inconsistency::HeapInfos("they don't make up the arena"))
    }
}
