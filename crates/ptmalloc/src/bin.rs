//! One of an arena's lists of free chunks, followed link by link.

use super::chunk::{
    ALIGNMENT_BYTES, Chunk, FIRST_FAST, FLAGS, LinkProtection, MAPPED, PREVIOUS_IN_USE, SIZE_LIMIT,
    SMALLEST_BYTES, bin_index, fastbin_index,
};
use super::error::Inconsistency;
use super::heap_info::HeapInfos;

/// What can differ between lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BinKind {
    /// In both directions; ends where it began, in the bin's own links, at this address.
    Ring { bin: u64, last: u64 },
    /// In one direction, with links like these; ends with nothing.
    Chain(LinkProtection),
}

/// A list and how far it was followed.
#[derive(Debug)]
pub(super) struct Bin {
    kind: BinKind,
    number: u8,
    before: u64,
    pub(super) next: u64,
    pub(super) chunks: Vec<Chunk>,
}

impl Bin {
    pub(super) fn new(kind: BinKind, number: u8, first: u64) -> Self {
        let before = match kind {
            BinKind::Ring { bin, .. } => bin,
            BinKind::Chain(_) => 0,
        };
        Self { kind, number, before, next: first, chunks: Vec::new() }
    }

    pub(super) fn is_done(&self) -> bool {
        match self.kind {
            BinKind::Ring { bin, .. } => self.next == bin,
            BinKind::Chain(_) => self.next == 0,
        }
    }

    /// Whether the bin names as its last one the chunk that came last.
    pub(super) fn check_end(&self) -> Result<(), Inconsistency> {
        match self.kind {
            BinKind::Ring { last, .. } if last != self.before => {
                Err(Inconsistency::Chunk("its bin ends with another one"))
            }
            _ => Ok(()),
        }
    }

    /// Whether the next chunk can be where it is said to be, at least its first words.
    pub(super) fn check_place(&self, heaps: &HeapInfos<'_>) -> Result<(), Inconsistency> {
        if may_be_chunk(self.next, heaps) {
            Ok(())
        } else {
            Err(Inconsistency::Chunk("it is outside the arena's memory"))
        }
    }

    /// Takes the next chunk, whose words these are; gives its size.
    pub(super) fn take(
        &mut self,
        [size_word, forward, back]: [u64; 3],
        heaps: &HeapInfos<'_>,
    ) -> Result<u64, Inconsistency> {
        let address = self.next;
        let size = size_word & !FLAGS;
        self.next = match self.kind {
            BinKind::Ring { .. } => {
                if back != self.before {
                    return Err(Inconsistency::Chunk("its links don't match"));
                }
                if size_word & FLAGS != PREVIOUS_IN_USE {
                    return Err(Inconsistency::Chunk("its flags are those of one in use"));
                }
                if self.number > 1 && bin_index(size) != u64::from(self.number) {
                    return Err(Inconsistency::Chunk("it is in a bin of another size"));
                }
                forward
            }
            BinKind::Chain(links) => {
                let bin = (self.number - FIRST_FAST).into();
                if size_word & MAPPED != 0 || fastbin_index(size) != Some(bin) {
                    return Err(Inconsistency::Chunk("it is in a fast bin of another size"));
                }
                links.across(address + 16, forward)
            }
        };
        // With the size of what follows, which says that this one is free.
        let end = address.checked_add(size).and_then(|end| end.checked_add(16));
        let inside = end.is_some_and(|end| heaps.hold(&(address..end)));
        if !(SMALLEST_BYTES..SIZE_LIMIT).contains(&size) || !inside {
            return Err(Inconsistency::Chunk("its size is impossible"));
        }
        self.before = address;
        self.chunks.push(Chunk::new(address, size, self.number));
        Ok(size)
    }
}

pub(super) fn may_be_chunk(address: u64, heaps: &HeapInfos<'_>) -> bool {
    let end = address.checked_add(SMALLEST_BYTES);
    address.is_multiple_of(ALIGNMENT_BYTES) && end.is_some_and(|end| heaps.hold(&(address..end)))
}
