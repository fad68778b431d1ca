//! A made-up memory, and the whole way through it, for tests and for the fuzzer.

use std::ops::Range;

use super::arena_sample::{ArenaReader, Verified};
use super::chunk::LinkProtection;
use super::error::Unreadable;
use super::find;
use super::heap_state::Free;
use super::map::FreeMap;
use super::memory::TargetMemory;

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
        Self { start, bytes: bytes.to_vec(), read_bytes: 0 }
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

/// Where the bytes are taken to be; as in a program that isn't position-independent.
const START: u64 = 0x40_0000;

/// Takes bytes for a process's only memory, at 0x400000, and gives what is free in each arena that
/// is found there. Whatever the bytes are, it doesn't panic and it ends.
#[doc(hidden)]
pub fn arenas_in(bytes: &[u8]) -> Vec<Free> {
    let end = START + bytes.len() as u64;
    let mut memory = Fake::of(START, bytes);
    let map = || {
        let mut map = FreeMap::default();
        map.add(START..end);
        map.break_end = Some(end);
        map
    };
    let mut reader = ArenaReader::new(map(), LinkProtection::of(None), 4096);
    let _ = find::unused(bytes, START);
    let mut found = Vec::new();
    let map = map();
    for main in find::candidates(bytes, START, &map, || Ok(())).flatten() {
        let mut arenas = Vec::new();
        if find::ring(&mut memory, &map, main, &mut arenas).is_err() {
            continue;
        }
        for (index, header) in arenas.iter().enumerate() {
            let read = reader.free(&mut memory, header, index == 0);
            if let Ok(Verified { free, .. }) = read {
                assert!(free.total_bytes() <= header.system_bytes());
                assert!(free.returnable_bytes <= free.total_bytes());
                found.push(free);
            }
        }
    }
    found
}

#[cfg(test)]
mod tests;
