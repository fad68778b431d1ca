//! Pages of another process that were just read: free chunks that follow each other in a list are
//! often neighbours, too.

use std::ops::Range;

use super::memory::{Memory, Unreadable, word};

pub(super) const PAGE_BYTES: u64 = 4096;
/// 8 MiB at most.
const MOST_SLOTS: u64 = 2048;
const LEAST_SLOTS: u64 = 64;

/// A few thousand pages, each as it was when it was last asked for.
#[derive(Debug, Default)]
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

/// No page is there: none begins at the last address.
const EMPTY: Slot = Slot {
    page: u64::MAX,
    at: 0,
};

impl Cache {
    /// An empty one for an arena of this size. What it took of memory is used again.
    pub(super) fn empty(&mut self, length_bytes: u64) {
        let slots = (length_bytes / PAGE_BYTES).clamp(LEAST_SLOTS, MOST_SLOTS);
        self.slots.clear();
        self.slots.resize(slots as usize, EMPTY);
        self.bytes.clear();
    }

    fn slot(&self, page: u64) -> usize {
        (page / PAGE_BYTES % (self.slots.len() as u64).max(1)) as usize
    }

    /// The word at an address that is a multiple of 8; `None` if its page isn't here.
    pub(super) fn word(&self, address: u64) -> Option<u64> {
        let page = address & !(PAGE_BYTES - 1);
        let slot = self.slots.get(self.slot(page))?;
        (slot.page == page).then(|| word(&self.bytes, slot.at + (address - page) as usize))
    }

    /// Reads the pages that these places are on, all at once, together with one other place. That
    /// one's bytes are handed out first, then the places, one by one: after each, `use_one` is
    /// called with its number, before the next can take its slot.
    pub(super) fn fetch<E: From<Unreadable>>(
        &mut self,
        memory: &mut impl Memory,
        places: &[Range<u64>],
        beside: Option<Range<u64>>,
        use_beside: impl FnOnce(&[u8]) -> Result<(), E>,
        mut use_one: impl FnMut(&Self, usize) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut pages = Vec::with_capacity(places.len() + 1);
        for place in places {
            let start = place.start & !(PAGE_BYTES - 1);
            let end = place.end.checked_next_multiple_of(PAGE_BYTES);
            pages.push(start..end.ok_or(Unreadable::NotMapped)?);
        }
        if self.bytes.len() as u64 >= MOST_SLOTS * PAGE_BYTES {
            self.slots.fill(EMPTY);
            self.bytes.clear();
        }
        let mut at = self.bytes.len();
        pages.extend(beside.clone());
        memory.read(&pages, &mut self.bytes)?;
        if let Some(beside) = beside {
            pages.pop();
            let length = (beside.end - beside.start) as usize;
            use_beside(&self.bytes[self.bytes.len() - length..])?;
            self.bytes.truncate(self.bytes.len() - length);
        }
        for (index, range) in pages.into_iter().enumerate() {
            for page in range.step_by(PAGE_BYTES as usize) {
                let slot = self.slot(page);
                if let Some(slot) = self.slots.get_mut(slot) {
                    *slot = Slot { page, at };
                }
                at += PAGE_BYTES as usize;
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
        let mut cache = Cache::default();
        cache.empty(0);
        assert_eq!(cache.word(0x10_0ff8), None);
        let mut seen = Vec::new();
        let place = 0x10_0ff0..0x10_1010;
        cache
            .fetch(
                &mut memory,
                &[place],
                Some(0x10_1000..0x10_1008),
                |bytes| {
                    assert_eq!(bytes, 8_u64.to_le_bytes());
                    Ok(())
                },
                |cache, index| {
                    seen.push((index, cache.word(0x10_0ff8), cache.word(0x10_1000)));
                    Ok::<_, Unreadable>(())
                },
            )
            .unwrap();
        assert_eq!(seen, [(0, Some(7), Some(8))]);
        let nowhere = 0x20_0000..0x20_0020;
        let result = cache.fetch(&mut memory, &[nowhere], None, |_| Ok(()), |_, _| Ok(()));
        assert_eq!(result, Err(Unreadable::NotMapped));
    }
}
