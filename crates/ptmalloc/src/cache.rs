//! Memory of another process that was just read: free chunks that follow each other in a list are
//! often neighbours, too.

use std::ops::Range;

use proc_memory::word;

use super::error::Unreadable;
use super::memory::TargetMemory;

pub(super) const PAGE_BYTES: u64 = 4096;
/// 1 MiB at most: what is read is used soon, while the processor has it near.
pub(super) const MOST_SLOTS: u64 = 256;
const LEAST_SLOTS: u64 = 64;

/// Some hundred pages or parts of pages, each as it was when it was last asked for.
#[derive(Debug, Default)]
pub(super) struct Cache {
    /// What is in a slot, and where its bytes are; a page's slot is its number modulo the number of
    /// slots.
    slots: Vec<Slot>,
    bytes: Vec<u8>,
    places: Vec<Range<u64>>,
}

/// Memory from an address to another, on one page.
#[derive(Clone, Copy, Debug)]
struct Slot {
    start: u64,
    end: u64,
    at: usize,
}

const EMPTY: Slot = Slot { start: u64::MAX, end: 0, at: 0 };

impl Cache {
    /// An empty one for an arena of this size. What it took of memory is used again.
    pub(super) fn empty(&mut self, length_bytes: u64) {
        let slots = (length_bytes / PAGE_BYTES).clamp(LEAST_SLOTS, MOST_SLOTS);
        self.slots.clear();
        self.slots.resize(slots as usize, EMPTY);
        self.bytes.clear();
    }

    fn slot(&self, address: u64) -> usize {
        (address / PAGE_BYTES % (self.slots.len() as u64).max(1)) as usize
    }

    /// The word at an address that is a multiple of 8; `None` if it isn't here.
    pub(super) fn word(&self, address: u64) -> Option<u64> {
        let slot = self.slots.get(self.slot(address))?;
        let is_there = slot.start <= address && address < slot.end;
        is_there.then(|| word(&self.bytes, slot.at + (address - slot.start) as usize))
    }

    /// Reads these places, which are made of whole words, all at once, together with one other
    /// place. That one's bytes are handed out first, then the places, one by one: after each,
    /// `use_one` is called with its number, before the next can take its slot.
    pub(super) fn fetch<E: From<Unreadable>>(
        &mut self,
        memory: &mut impl TargetMemory,
        places: &[Range<u64>],
        beside: Option<Range<u64>>,
        use_beside: impl FnOnce(&[u8]) -> Result<(), E>,
        mut use_one: impl FnMut(&Self, usize) -> Result<(), E>,
    ) -> Result<(), E> {
        if self.bytes.len() as u64 >= MOST_SLOTS * PAGE_BYTES {
            self.slots.fill(EMPTY);
            self.bytes.clear();
        }
        let mut at = self.bytes.len();
        self.places.clear();
        self.places.extend_from_slice(places);
        self.places.extend(beside.clone());
        memory.read(&self.places, &mut self.bytes)?;
        if let Some(beside) = beside {
            let length = (beside.end - beside.start) as usize;
            use_beside(&self.bytes[self.bytes.len() - length..])?;
            self.bytes.truncate(self.bytes.len() - length);
        }
        for (index, place) in places.iter().enumerate() {
            let mut start = place.start;
            while start < place.end {
                let page_end = (start | (PAGE_BYTES - 1)).saturating_add(1);
                let end = place.end.min(page_end);
                let slot = self.slot(start);
                if let Some(slot) = self.slots.get_mut(slot) {
                    *slot = Slot { start, end, at };
                }
                at += (end - start) as usize;
                start = end;
            }
            use_one(self, index)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake::Fake;

    fn fetched(cache: &mut Cache, place: Range<u64>) -> Result<(), Unreadable> {
        let mut memory = Fake::new(0x10_0000, 3 * PAGE_BYTES);
        memory.write(0x10_0ff8, 7);
        memory.write(0x10_1000, 8);
        let beside = Some(0x10_1000..0x10_1008);
        let use_beside = |bytes: &[u8]| {
            assert_eq!(bytes, 8_u64.to_le_bytes());
            Ok(())
        };
        cache.fetch(&mut memory, &[place], beside, use_beside, |_, _| Ok(()))
    }

    #[test]
    fn a_place_on_two_pages_is_there_as_a_whole() {
        let mut cache = Cache::default();
        cache.empty(0);
        assert_eq!(cache.word(0x10_0ff8), None);
        fetched(&mut cache, 0x10_0ff0..0x10_1010).unwrap();
        let words = [0x10_0ff8, 0x10_1000, 0x10_1008].map(|at| cache.word(at));
        assert_eq!(words, [Some(7), Some(8), Some(0)]);
        let around = [0x10_0fe8, 0x10_1010, 0x10_2000].map(|at| cache.word(at));
        assert_eq!(around, [None; 3], "nothing else is");
        let nowhere = fetched(&mut cache, 0x20_0000..0x20_0020);
        assert_eq!(nowhere, Err(Unreadable::NotMapped));
    }
}
