//! A made-up memory, for tests and for the fuzzer.

use std::ops::Range;

use super::memory::{TargetMemory, Unreadable};

/// One piece of memory at an address, all of it resident.
#[derive(Clone, Debug)]
pub(super) struct Fake {
    start: u64,
    bytes: Vec<u8>,
    /// Bytes that were asked for.
    pub(super) read_bytes: u64,
}

impl Fake {
    #[cfg(test)]
    pub(super) fn new(start: u64, length_bytes: u64) -> Self {
        Self::of(start, &vec![0; length_bytes as usize])
    }

    pub(super) fn of(start: u64, bytes: &[u8]) -> Self {
        Self {
            start,
            bytes: bytes.to_vec(),
            read_bytes: 0,
        }
    }

    #[cfg(test)]
    pub(super) fn write(&mut self, address: u64, word: u64) {
        let at = (address - self.start) as usize;
        self.bytes[at..at + 8].copy_from_slice(&word.to_le_bytes());
    }

    fn slice(&self, place: &Range<u64>) -> Option<&[u8]> {
        let start = usize::try_from(place.start.checked_sub(self.start)?).ok()?;
        let end = usize::try_from(place.end.checked_sub(self.start)?).ok()?;
        self.bytes.get(start..end)
    }
}

impl TargetMemory for Fake {
    fn read(&mut self, places: &[Range<u64>], into: &mut Vec<u8>) -> Result<(), Unreadable> {
        for place in places {
            self.read_bytes += place.end.saturating_sub(place.start);
            into.extend_from_slice(self.slice(place).ok_or(Unreadable::NotMapped)?);
        }
        Ok(())
    }

    fn resident_bytes(&mut self, pages: &[Range<u64>]) -> Result<u64, Unreadable> {
        assert!(pages.is_sorted_by(|a, b| a.end <= b.start), "{pages:?}");
        let each = pages.iter().map(|pages| pages.end - pages.start);
        Ok(each.sum())
    }

    fn resident(&mut self, _: &[Range<u64>]) -> Result<Vec<Range<u64>>, Unreadable> {
        let all = self.start..self.start + self.bytes.len() as u64;
        Ok(Vec::from([all]))
    }
}
