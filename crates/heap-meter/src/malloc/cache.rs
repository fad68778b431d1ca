//! Pages of another process that were just read: free chunks that follow each other in a list are
//! often neighbours, too.

use std::ops::Range;

use super::memory::{Memory, Unreadable, word};

pub(super) const PAGE_BYTES: u64 = 4096;
/// 16 MiB at most.
const MOST_SLOTS: u64 = 4096;
const LEAST_SLOTS: u64 = 64;

/// A few thousand pages, each as it was when it was last asked for.
#[derive(Debug)]
pub(super) struct Cache {
    /// Which page is in a slot, and where its bytes are; a page's slot is its number modulo the
    /// number of slots.
    slots: Vec<Slot>,
    bytes: Vec<u8>,
}

#[derive(Clone, Copy, Debug)]
struct Slot {
    page: u64,
    at: usize,
}

const NOWHERE: usize = usize::MAX;

impl Cache {
    /// For an arena of this size.
    pub(super) fn new(length_bytes: u64) -> Self {
        let slots = (length_bytes / PAGE_BYTES).clamp(LEAST_SLOTS, MOST_SLOTS);
        let empty = Slot {
            page: u64::MAX,
            at: NOWHERE,
        };
        Self {
            slots: vec![empty; slots as usize],
            bytes: Vec::new(),
        }
    }

    fn slot(&self, page: u64) -> usize {
        (page / PAGE_BYTES % self.slots.len() as u64) as usize
    }

    /// The word at an address that is a multiple of 8; `None` if its page isn't here.
    pub(super) fn word(&self, address: u64) -> Option<u64> {
        let page = address & !(PAGE_BYTES - 1);
        let slot = self.slots[self.slot(page)];
        let here = slot.page == page && slot.at != NOWHERE;
        here.then(|| word(&self.bytes, slot.at + (address - page) as usize))
    }

    fn put(&mut self, page: u64, bytes: &[u8]) {
        let slot = self.slot(page);
        let at = match self.slots[slot].at {
            NOWHERE => {
                let at = self.bytes.len();
                self.bytes.resize(at + PAGE_BYTES as usize, 0);
                at
            }
            at => at,
        };
        self.bytes[at..at + bytes.len()].copy_from_slice(bytes);
        self.slots[slot] = Slot { page, at };
    }

    /// Reads the pages that these places are on, all at once, and hands them out place by place:
    /// after each, `use_one` is called with its number, before the next can take its slot.
    pub(super) fn fetch<E: From<Unreadable>>(
        &mut self,
        memory: &mut impl Memory,
        places: &[Range<u64>],
        mut use_one: impl FnMut(&Self, usize) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut pages = Vec::with_capacity(places.len());
        for place in places {
            let start = place.start & !(PAGE_BYTES - 1);
            let end = place.end.checked_next_multiple_of(PAGE_BYTES);
            pages.push(start..end.ok_or(Unreadable::NotMapped)?);
        }
        let mut bytes = Vec::new();
        memory.read(&pages, &mut bytes)?;
        let mut rest = &bytes[..];
        for (index, range) in pages.iter().enumerate() {
            let mut page = range.start;
            while page < range.end {
                let (one, after) = rest
                    .split_at_checked(PAGE_BYTES as usize)
                    .ok_or(Unreadable::NotMapped)?;
                self.put(page, one);
                rest = after;
                page += PAGE_BYTES;
            }
            use_one(self, index)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::fake::Fake;
    use super::*;

    #[test]
    fn a_place_on_two_pages_is_there_as_a_whole() {
        let mut memory = Fake::new(0x10_0000, 3 * PAGE_BYTES);
        memory.write(0x10_0ff8, 7);
        memory.write(0x10_1000, 8);
        let mut cache = Cache::new(0);
        assert_eq!(cache.word(0x10_0ff8), None);
        let mut seen = Vec::new();
        let place = 0x10_0ff0..0x10_1010;
        cache
            .fetch(&mut memory, &[place], |cache, index| {
                seen.push((index, cache.word(0x10_0ff8), cache.word(0x10_1000)));
                Ok::<_, Unreadable>(())
            })
            .unwrap();
        assert_eq!(seen, [(0, Some(7), Some(8))]);
        let nowhere = 0x20_0000..0x20_0020;
        let result = cache.fetch(&mut memory, &[nowhere], |_, _| Ok(()));
        assert_eq!(result, Err(Unreadable::NotMapped));
    }
}
