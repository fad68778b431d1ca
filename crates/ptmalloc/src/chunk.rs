//! `malloc_chunk`: a free chunk, and the flags in its size.
//!
//! # References
//! glibc 2.41, `malloc/malloc.c`, “Chunk representations”

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

/// A free chunk: where, how large, in which bin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Chunk {
    pub(super) address: u64,
    size_and_bin: u64,
}

impl Chunk {
    /// The size is less than 2^48.
    pub(super) fn new(address: u64, size: u64, bin: u8) -> Self {
        Self {
            address,
            size_and_bin: size << 8 | u64::from(bin),
        }
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
