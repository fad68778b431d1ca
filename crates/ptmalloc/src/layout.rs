//! Where things are in glibc's `malloc_state`, one arena's book-keeping.
//!
//! # References
//! glibc `malloc/malloc.c`, `struct malloc_state`: read in memory of 2.31, 2.36, 2.41, 2.43 and
//! 2.44 on x86-64. A layout is only ever a guess that [`MallocState::check`](super::malloc_state::MallocState) and
//! the walk through all chunks have to confirm.

/// Bins of an arena; bin 0 doesn't exist, bin 1 is the unsorted one.
pub(super) const BINS: usize = 128;
/// Fast bins, where there are any.
pub(super) const FAST_BINS: usize = 10;

/// Offsets in bytes.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Layout {
    /// The fast bins; none since 2.43.
    pub(super) fast: Option<usize>,
    pub(super) top: usize,
    pub(super) bins: usize,
    /// One bit a bin that may have chunks.
    pub(super) binmap: usize,
    pub(super) next: usize,
    /// Bytes from the kernel now.
    pub(super) system: usize,
    /// And at most.
    pub(super) max_system: usize,
    /// Of the whole.
    pub(super) length: usize,
}

/// From 2.27 to 2.42.
pub(super) static WITH_FAST_BINS: Layout = Layout::after(16, Some(16));
/// From 2.43 on.
pub(super) static WITHOUT_FAST_BINS: Layout = Layout::after(8, None);

pub(super) static LAYOUTS: [&Layout; 2] = [&WITH_FAST_BINS, &WITHOUT_FAST_BINS];

impl Layout {
    /// All but the beginning has always been the same.
    const fn after(start: usize, fast: Option<usize>) -> Self {
        let top = match fast {
            Some(fast) => fast + FAST_BINS * 8,
            None => start,
        };
        let bins = top + 16;
        let binmap = bins + (BINS * 2 - 2) * 8;
        Self {
            fast,
            top,
            bins,
            binmap,
            next: binmap + 16,
            system: binmap + 40,
            max_system: binmap + 48,
            length: binmap + 56,
        }
    }

    /// Where a bin's forward link is.
    pub(super) const fn bin(&self, bin: usize) -> usize {
        self.bins + (bin - 1) * 16
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_are_those_that_were_read_in_real_libraries() {
        let old = &WITH_FAST_BINS;
        assert_eq!((old.top, old.bins, old.binmap), (96, 112, 2144));
        assert_eq!((old.next, old.system, old.max_system), (2160, 2184, 2192));
        assert_eq!(old.length, 2200);
        let new = &WITHOUT_FAST_BINS;
        assert_eq!((new.top, new.bins, new.binmap), (8, 24, 2056));
        assert_eq!((new.next, new.system, new.max_system), (2072, 2096, 2104));
    }
}
