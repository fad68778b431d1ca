//! glibc's `malloc_par`, its one structure of parameters: how many blocks have a mapping of their
//! own, and how much that is.
//!
//! It is a variable of the same file as the main arena, and the linker keeps them close together.
//! What tells it is what has to fit: counts and bytes that agree with each other, and the beginning
//! of the heap, which glibc remembers in it.
//!
//! # References
//! glibc `malloc/malloc.c`, `struct malloc_par`: read in the libraries of 2.31, 2.36, 2.41 and 2.43,
//! x86-64

use proc_memory::word;

use super::chunk::ALIGNMENT_BYTES;
use super::error::Unreadable;
use super::heap_state::Mmapped;
use super::malloc_state::MallocState;
use super::map::FreeMap;
use super::memory::TargetMemory;

/// It is this near to the main arena; about 2 KiB before it in every library that was read.
const NEAR_BYTES: u64 = 4096;
/// Both counters change one after the other: reads until they agree.
const ATTEMPTS: usize = 3;
const PAGE_BYTES: u64 = 4096;
/// `DEFAULT_MMAP_MAX`, and the initial `arena_test` where a long has 64 bits.
const DEFAULT_MMAP_MAX: u32 = 65_536;
const DEFAULT_ARENA_TEST: u64 = 8;

/// What is said where they aren't found.
pub(super) const UNKNOWN: &str = "the library doesn't keep their count in a form that is known \
     here; known are those of glibc 2.27 to 2.43";

/// Offsets in bytes.
struct ParameterLayout {
    /// Sizes of pages that the tunable `hugetlb` chose, 0 without it.
    page_sizes: Option<usize>,
    /// Four ints: blocks that are mapped, at most allowed, at most so far, and whether the threshold
    /// is fixed.
    counts: usize,
    /// Bytes of them, and at most so far; then where the main arena began, 0 if it never did.
    mapped: usize,
    /// Of all that is looked at.
    length: usize,
}

/// Until 2.34, from 2.35 to 2.42, and since 2.43.
const LAYOUTS: [ParameterLayout; 3] = [
    ParameterLayout::of(None, 40),
    ParameterLayout::of(Some(40), 60),
    ParameterLayout::of(Some(48), 68),
];

impl ParameterLayout {
    /// What follows the four ints has always been the same.
    const fn of(page_sizes: Option<usize>, counts: usize) -> Self {
        let mapped = (counts + 16).next_multiple_of(8);
        Self { page_sizes, counts, mapped, length: mapped + 24 }
    }
}

/// Whether the limits of what malloc may do are those that it begins with.
enum ThresholdRange {
    Default,
    /// By mallopt(3), or a tunable; or these are no limits.
    Changed,
}

/// What has a mapping of its own; `None` if the parameters aren't where they are expected, or more
/// than one place might be them.
pub(super) fn mmapped(
    memory: &mut impl TargetMemory,
    main: &MallocState,
    map: &FreeMap,
) -> Result<Option<Mmapped>, Unreadable> {
    let place = main.place();
    let near = place.start.saturating_sub(NEAR_BYTES)..place.end.saturating_add(NEAR_BYTES);
    let near = map.part_around(place.start, &near);
    let mut bytes = Vec::new();
    for _ in 0..ATTEMPTS {
        bytes.clear();
        memory.read_one(near.clone(), &mut bytes)?;
        let starts = (0..bytes.len()).step_by(8).map(|at| &bytes[at..]);
        let (mut found, mut changed) = (Vec::new(), Vec::new());
        for bytes in starts {
            for layout in &LAYOUTS {
                match read(layout, bytes, map) {
                    Some((mmapped, ThresholdRange::Default)) => found.push(mmapped),
                    Some((mmapped, ThresholdRange::Changed)) => changed.push(mmapped),
                    None => {}
                }
            }
        }
        // A word that isn't a limit rarely has a limit's initial value.
        let mut found = if found.is_empty() { changed } else { found };
        found.dedup();
        match found[..] {
            [one] => return Ok(Some(one)),
            [] => {}
            _ => break,
        }
    }
    Ok(None)
}

/// What these bytes tell, if they can be the parameters.
fn read(
    layout: &ParameterLayout,
    bytes: &[u8],
    map: &FreeMap,
) -> Option<(Mmapped, ThresholdRange)> {
    let bytes = bytes.get(..layout.length)?;
    let half = |at: usize| (word(bytes, at & !7) >> (at % 8 * 8)) as u32;
    let [count, most, reached, is_fixed] = [0, 4, 8, 12].map(|at| half(layout.counts + at));
    let [length, reached_length, heap] = [0, 8, 16].map(|at| word(bytes, layout.mapped + at));
    let [threshold, arena_test, arena_max] = [16, 24, 32].map(|at| word(bytes, at));
    let is_filled = layout.counts + 16 == layout.mapped || half(layout.counts + 16) == 0;
    let is_page_size = |size: u64| size == 0 || size.is_power_of_two() && size >= PAGE_BYTES;
    let page_sizes = layout.page_sizes.into_iter().flat_map(|at| [at, at + 8]);
    let fits = is_filled
        && is_fixed <= 1
        && count <= reached
        && i32::try_from(reached).is_ok()
        && length <= reached_length
        && [length, reached_length].iter().all(|length| length.is_multiple_of(ALIGNMENT_BYTES))
        && (count == 0) == (length == 0)
        && (reached == 0) == (reached_length == 0)
        && length / PAGE_BYTES >= count.into()
        && length <= map.most_bytes()
        && (threshold != 0 && arena_test != 0)
        && [arena_test, arena_max].iter().all(|arenas| *arenas <= u32::MAX.into())
        && page_sizes.into_iter().all(|at| is_page_size(word(bytes, at)));
    let is_default = most == DEFAULT_MMAP_MAX && arena_test == DEFAULT_ARENA_TEST;
    // Where the first piece of the main arena is that didn't come from the break, if none did.
    let is_elsewhere = || map.holds(&(heap..heap.saturating_add(8)));
    let has_heap = || map.is_in_heap(heap) || is_default && (heap == 0 || is_elsewhere());
    let limits = match is_default {
        true => ThresholdRange::Default,
        false => ThresholdRange::Changed,
    };
    (fits && has_heap()).then(|| (Mmapped::new(count.into(), length), limits))
}
