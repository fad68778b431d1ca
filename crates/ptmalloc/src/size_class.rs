//! Which bin a chunk belongs into, by its size.
//!
//! # References
//! glibc `malloc/malloc.c` 2.42: `bin_index`, `largebin_index_64`, `fastbin_index`

/// The smallest chunk.
pub(super) const SMALLEST_BYTES: u64 = 32;
/// Chunks and their sizes are multiples of it.
pub(super) const ALIGNMENT_BYTES: u64 = 16;
/// From this size on a chunk is a large one.
pub(super) const LARGE_BYTES: u64 = 1024;

/// The bin of chunks of this size.
pub(super) fn bin(size_bytes: u64) -> u64 {
    if size_bytes < LARGE_BYTES {
        return size_bytes >> 4;
    }
    // Ever wider bins: shift, the last quotient of that width, and what is added to it.
    const WIDTHS: [(u32, u64, u64); 5] = [
        (6, 48, 48),
        (9, 20, 91),
        (12, 10, 110),
        (15, 4, 119),
        (18, 2, 124),
    ];
    WIDTHS
        .iter()
        .find(|(shift, last, _)| size_bytes >> shift <= *last)
        .map_or(126, |(shift, _, first)| (size_bytes >> shift) + first)
}

/// The fast bin of chunks of this size, from 0.
pub(super) fn fast_bin(size_bytes: u64) -> Option<u64> {
    (size_bytes >> 4).checked_sub(2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bins_grow_with_the_size_and_end_at_126() {
        let mut last = 0;
        for size in (SMALLEST_BYTES..4 << 20).step_by(16) {
            let bin = bin(size);
            assert!(
                (last..=last + 1).contains(&bin) || size == SMALLEST_BYTES,
                "{size}"
            );
            last = bin;
        }
        assert_eq!((bin(32), bin(1008), bin(1024), last), (2, 63, 64, 126));
        assert_eq!(bin(u64::MAX - 15), 126);
    }

    #[test]
    fn fast_bins_start_at_the_smallest_chunk() {
        assert_eq!(
            (fast_bin(32), fast_bin(176), fast_bin(16)),
            (Some(0), Some(9), None)
        );
    }
}
