//! `malloc_chunk`: a free chunk, the flags in its size, the bin that it belongs into by its size, and
//! how one in a fast bin keeps the link to the next.
//!
//! Since 2.32 links are mangled with the number of the page that they are on. One link alone doesn't
//! always tell which it is: with a heap at low addresses both readings lead to where a chunk can be.
//! All links of all bins do. The end of a list counts most: read as mangled it is a word that hardly
//! ever stands anywhere by chance, so that reading comes first; plain it is zero, which stands
//! everywhere.
//!
//! # References
//! glibc 2.41, `malloc/malloc.c`, “Chunk representations”, `PROTECT_PTR`; 2.42: `bin_index`,
//! `largebin_index_64`, `fastbin_index`

use proc_memory::page_size_bytes;

use super::layout::BINS;

/// The chunk before it is in use (`PREV_INUSE`).
pub(super) const PREVIOUS_IN_USE: u64 = 1;
/// A block with a mapping of its own (`IS_MMAPPED`).
pub(super) const MAPPED: u64 = 2;
/// All flags, and the bit that is no size's.
pub(super) const FLAGS: u64 = 15;
/// Sizes are less than this, so that a bin's number has room beside one.
pub(super) const SIZE_LIMIT: u64 = 1 << 48;
/// Numbers of fast bins follow those of the others.
pub(super) const FIRST_FAST: u8 = BINS as u8;

/// How long a block with a mapping of its own is, in bytes, whose chunk begins with these words
/// (`mchunk_prev_size`, `mchunk_size`) at the beginning of a page; `None` for what is none.
pub fn mmapped_block_bytes(previous_size: u64, size: u64) -> Option<u64> {
    let bytes = size & !FLAGS;
    let is_one = previous_size == 0 && size & FLAGS == MAPPED && bytes > 0;
    (is_one && bytes.is_multiple_of(page_size_bytes())).then_some(bytes)
}

/// How long the first chunk of the main arena's memory is, in bytes, which has this `mchunk_size`:
/// nothing is free before it; `None` for what is none.
pub fn first_chunk_bytes(size: u64) -> Option<u64> {
    let bytes = size & !FLAGS;
    (size & FLAGS == PREVIOUS_IN_USE && bytes >= SMALLEST_BYTES).then_some(bytes)
}

/// A free chunk: where, how large, in which bin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Chunk {
    pub(super) address: u64,
    size_and_bin: u64,
}

impl Chunk {
    /// The size is less than 2^48.
    pub(super) fn new(address: u64, size: u64, bin: u8) -> Self {
        Self { address, size_and_bin: size << 8 | u64::from(bin) }
    }

    pub(super) fn size(self) -> u64 {
        self.size_and_bin >> 8
    }

    pub(super) fn bin(self) -> u8 {
        (self.size_and_bin & 0xff) as u8
    }

    pub(super) fn is_fast(self) -> bool {
        self.bin() >= FIRST_FAST
    }

    pub(super) fn end(self) -> u64 {
        self.address + self.size()
    }
}

pub(super) const SMALLEST_BYTES: u64 = 32;
/// Chunks and their sizes are multiples of it.
pub(super) const ALIGNMENT_BYTES: u64 = 16;
/// From this size on a chunk is a large one.
pub(super) const LARGE_BYTES: u64 = 1024;

pub(super) fn bin_index(size_bytes: u64) -> u64 {
    if size_bytes < LARGE_BYTES {
        return size_bytes >> 4;
    }
    // Ever wider bins: shift, the last quotient of that width, and what is added to it.
    const WIDTHS: [(u32, u64, u64); 5] =
        [(6, 48, 48), (9, 20, 91), (12, 10, 110), (15, 4, 119), (18, 2, 124)];
    WIDTHS
        .iter()
        .find(|(shift, last, _)| size_bytes >> shift <= *last)
        .map_or(126, |(shift, _, first)| (size_bytes >> shift) + first)
}

/// The fast bin of chunks of this size, from 0.
pub(super) fn fastbin_index(size_bytes: u64) -> Option<u64> {
    (size_bytes >> 4).checked_sub(2)
}

/// How a chunk in a fast bin keeps the link to the next one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum LinkProtection {
    /// As it is: until 2.31.
    Plain,
    /// Mangled with its own place: since 2.32.
    #[default]
    Mangled,
}

impl LinkProtection {
    /// Those that glibc has in this version; both, the one to be tried first before the other, where
    /// the version isn't known or is none of a release.
    pub(super) fn of(version: Option<&str>) -> &'static [Self] {
        const FIRST_MANGLED: u32 = 32;
        let minor = version.and_then(|version| version.strip_prefix("2."));
        match minor.and_then(|minor| minor.parse::<u32>().ok()) {
            Some(minor) if minor < FIRST_MANGLED => &[Self::Plain],
            Some(_) => &[Self::Mangled],
            None => &[Self::Mangled, Self::Plain],
        }
    }

    /// How the link at `place` to a chunk at `address` is stored, and back.
    pub(super) fn across(self, place: u64, address: u64) -> u64 {
        match self {
            Self::Plain => address,
            Self::Mangled => place >> 12 ^ address,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bins_grow_with_the_size_and_end_at_126() {
        let mut last = 0;
        for size in (SMALLEST_BYTES..4 << 20).step_by(16) {
            let bin = bin_index(size);
            assert!((last..=last + 1).contains(&bin) || size == SMALLEST_BYTES, "{size}");
            last = bin;
        }
        assert_eq!((bin_index(32), bin_index(1008), bin_index(1024), last), (2, 63, 64, 126));
        assert_eq!(bin_index(u64::MAX - 15), 126);
    }

    #[test]
    fn fast_bins_start_at_the_smallest_chunk() {
        assert_eq!(
            (fastbin_index(32), fastbin_index(176), fastbin_index(16)),
            (Some(0), Some(9), None)
        );
    }

    #[test]
    fn a_version_has_one_way_and_none_has_both() {
        assert_eq!(LinkProtection::of(Some("2.31")), [LinkProtection::Plain]);
        assert_eq!(LinkProtection::of(Some("2.32")), [LinkProtection::Mangled]);
        assert_eq!(LinkProtection::of(Some("2.41")), [LinkProtection::Mangled]);
        let both = [LinkProtection::Mangled, LinkProtection::Plain];
        assert_eq!(LinkProtection::of(None), both);
        assert_eq!(LinkProtection::of(Some("2.31.9000")), both);
        assert_eq!(LinkProtection::of(Some("x")), both);
    }
}
