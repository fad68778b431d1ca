//! One of an arena's lists of free chunks, followed link by link.

use super::flaw::Flaw;
use super::heaps::Heaps;
use super::links::Links;
use super::size_class::{self, ALIGNMENT_BYTES, SMALLEST_BYTES};
use super::walk::{Chunk, FIRST_FAST};

pub(super) const PREVIOUS_IN_USE: u64 = 1;
/// A block with a mapping of its own.
const MAPPED: u64 = 2;
pub(super) const FLAGS: u64 = 15;
/// Sizes are less than this, so that a bin's number has room beside one.
pub(super) const SIZE_LIMIT: u64 = 1 << 48;

/// What can differ between lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// In both directions; ends where it began, in the bin's own links, at this address.
    Ring { bin: u64, last: u64 },
    /// In one direction, with links like these; ends with nothing.
    Chain(Links),
}

/// A list and how far it was followed.
#[derive(Debug)]
pub(super) struct List {
    kind: Kind,
    /// The bin's number.
    number: u8,
    before: u64,
    /// The chunk that comes next.
    pub(super) next: u64,
    pub(super) chunks: Vec<Chunk>,
}

impl List {
    pub(super) fn new(kind: Kind, number: u8, first: u64) -> Self {
        let before = match kind {
            Kind::Ring { bin, .. } => bin,
            Kind::Chain(_) => 0,
        };
        Self {
            kind,
            number,
            before,
            next: first,
            chunks: Vec::new(),
        }
    }

    pub(super) fn is_done(&self) -> bool {
        match self.kind {
            Kind::Ring { bin, .. } => self.next == bin,
            Kind::Chain(_) => self.next == 0,
        }
    }

    /// Whether the bin names as its last one the chunk that came last.
    pub(super) fn check_end(&self) -> Result<(), Flaw> {
        match self.kind {
            Kind::Ring { last, .. } if last != self.before => {
                Err(Flaw::Chunk("its bin ends with another one"))
            }
            _ => Ok(()),
        }
    }

    /// Whether the next chunk can be where it is said to be, at least its first words.
    pub(super) fn check_place(&self, heaps: &Heaps<'_>) -> Result<(), Flaw> {
        if may_be_chunk(self.next, heaps) {
            Ok(())
        } else {
            Err(Flaw::Chunk("it is outside the arena's memory"))
        }
    }

    /// Takes the next chunk, whose words these are; gives its size.
    pub(super) fn take(
        &mut self,
        [size_word, forward, back]: [u64; 3],
        heaps: &Heaps<'_>,
    ) -> Result<u64, Flaw> {
        let address = self.next;
        let size = size_word & !FLAGS;
        self.next = match self.kind {
            Kind::Ring { .. } => {
                if back != self.before {
                    return Err(Flaw::Chunk("its links don't match"));
                }
                if size_word & FLAGS != PREVIOUS_IN_USE {
                    return Err(Flaw::Chunk("its flags are those of one in use"));
                }
                if self.number > 1 && size_class::bin(size) != u64::from(self.number) {
                    return Err(Flaw::Chunk("it is in a bin of another size"));
                }
                forward
            }
            Kind::Chain(links) => {
                let bin = (self.number - FIRST_FAST).into();
                if size_word & MAPPED != 0 || size_class::fast_bin(size) != Some(bin) {
                    return Err(Flaw::Chunk("it is in a fast bin of another size"));
                }
                links.across(address + 16, forward)
            }
        };
        // With the size of what follows, which says that this one is free.
        let end = address
            .checked_add(size)
            .and_then(|end| end.checked_add(16));
        let inside = end.is_some_and(|end| heaps.hold(&(address..end)));
        if !(SMALLEST_BYTES..SIZE_LIMIT).contains(&size) || !inside {
            return Err(Flaw::Chunk("its size is impossible"));
        }
        self.before = address;
        self.chunks.push(Chunk::new(address, size, self.number));
        Ok(size)
    }
}

/// Whether a chunk may begin here.
pub(super) fn may_be_chunk(address: u64, heaps: &Heaps<'_>) -> bool {
    let end = address.checked_add(SMALLEST_BYTES);
    address.is_multiple_of(ALIGNMENT_BYTES) && end.is_some_and(|end| heaps.hold(&(address..end)))
}
