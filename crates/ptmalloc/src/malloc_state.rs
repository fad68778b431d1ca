//! One arena's `malloc_state`, as it was read.

use std::ops::Range;

use proc_memory::word;

use super::chunk::ALIGNMENT_BYTES;
use super::error::{Inconsistency, Unreadable};
use super::layout::{BINS, FAST_BINS, Layout};
use super::map::FreeMap;
use super::memory::TargetMemory;

/// `NONCONTIGUOUS_BIT`, the only flag since 2.27.
const NON_CONTIGUOUS: u32 = 2;
/// States of a lock: free, held, held and waited for.
const LOCK_STATES: Range<u32> = 0..3;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct MallocState {
    pub(super) layout: &'static Layout,
    pub(super) address: u64,
    bytes: Vec<u8>,
}

impl MallocState {
    /// Takes bytes that are already there; `None` if they are too few.
    pub(super) fn new(layout: &'static Layout, address: u64, bytes: &[u8]) -> Option<Self> {
        let bytes = bytes.get(..layout.length)?.to_vec();
        Some(Self { layout, address, bytes })
    }

    pub(super) fn read(
        memory: &mut impl TargetMemory,
        layout: &'static Layout,
        address: u64,
    ) -> Result<Self, Unreadable> {
        let end = address.checked_add(layout.length as u64).ok_or(Unreadable::NotMapped)?;
        let mut bytes = Vec::with_capacity(layout.length);
        memory.read_one(address..end, &mut bytes)?;
        Ok(Self { layout, address, bytes })
    }

    pub(super) fn place(&self) -> Range<u64> {
        self.address..self.address.saturating_add(self.layout.length as u64)
    }

    /// Where the top's size is; `None` if the arena has no memory.
    pub(super) fn top_size_place(&self) -> Option<Range<u64>> {
        let start = self.top().saturating_add(8);
        (!self.has_no_memory()).then_some(start..start.saturating_add(8))
    }

    fn half(&self, at: usize) -> u32 {
        (word(&self.bytes, at) & u64::from(u32::MAX)) as u32
    }

    pub(super) fn locked(&self) -> bool {
        self.half(0) != 0
    }

    pub(super) fn non_contiguous(&self) -> bool {
        self.half(4) & NON_CONTIGUOUS != 0
    }

    pub(super) fn top(&self) -> u64 {
        word(&self.bytes, self.layout.top)
    }

    pub(super) fn next(&self) -> u64 {
        word(&self.bytes, self.layout.next)
    }

    pub(super) fn system_bytes(&self) -> u64 {
        word(&self.bytes, self.layout.system)
    }

    fn max_system_bytes(&self) -> u64 {
        word(&self.bytes, self.layout.max_system)
    }

    /// The first chunk of a fast bin; 0 if it is empty.
    pub(super) fn fast(&self, bin: usize) -> u64 {
        match self.layout.fast {
            Some(fast) => word(&self.bytes, fast + bin * 8),
            None => 0,
        }
    }

    /// Whether there are chunks in any fast bin.
    pub(super) fn has_fast_chunks(&self) -> bool {
        (0..FAST_BINS).any(|bin| self.fast(bin) != 0)
    }

    /// The chunk that an empty bin would seem to be: its links point to it.
    pub(super) fn bin_address(&self, bin: usize) -> u64 {
        self.address.wrapping_add(self.layout.bin(bin) as u64).wrapping_sub(16)
    }

    pub(super) fn bin(&self, bin: usize) -> (u64, u64) {
        let at = self.layout.bin(bin);
        (word(&self.bytes, at), word(&self.bytes, at + 8))
    }

    /// Whether malloc has not been used: all is as the linker left it.
    pub(super) fn is_unused(&self) -> bool {
        self.top() == 0
            && self.system_bytes() == 0
            && self.max_system_bytes() == 0
            && (1..BINS).all(|bin| self.bin(bin) == (0, 0))
            && !self.has_fast_chunks()
            && self.half(4) == 0
            && self.next() == self.address
    }

    /// Whether an arena has no memory yet: its top is the unsorted bin.
    pub(super) fn has_no_memory(&self) -> bool {
        self.top() == self.bin_address(1)
    }

    /// Whether nothing that counts differs. Which lock state, which thread and which remainder was
    /// last doesn't.
    pub(super) fn same_as(&self, other: &Self) -> bool {
        let layout = self.layout;
        let range = |range: Range<usize>| self.bytes.get(range.clone()) == other.bytes.get(range);
        self.address == other.address
            && std::ptr::eq(layout, other.layout)
            && self.non_contiguous() == other.non_contiguous()
            && layout.fast.is_none_or(|fast| range(fast..layout.top))
            && self.top() == other.top()
            && range(layout.bins..layout.next + 8)
            && self.system_bytes() == other.system_bytes()
    }

    /// Whether these bytes, read later, are still this header, and its lock is free.
    pub(super) fn stands(&self, again: &[u8]) -> Result<(), Inconsistency> {
        match Self::new(self.layout, self.address, again) {
            Some(again) if again.locked() => Err(Inconsistency::Locked),
            Some(again) if again.same_as(self) => Ok(()),
            _ => Err(Inconsistency::Changed),
        }
    }

    /// Whether bytes may be a header at all, told by its two words that are cheapest to look at.
    pub(super) fn may_begin(layout: &Layout, bytes: &[u8], map: &FreeMap) -> bool {
        let next = word(bytes, layout.next);
        bytes.len() >= layout.length
            && next.is_multiple_of(8)
            && map.holds(&(next..next.saturating_add(8)))
            && word(bytes, 0) & !(u64::from(NON_CONTIGUOUS) << 32) < u64::from(LOCK_STATES.end)
    }

    /// Whether it is an arena's, also in the middle of a change: nothing of this can be different
    /// while a thread is at work in it, whatever the order that its words are written and read in.
    pub(super) fn resembles(&self, map: &FreeMap) -> bool {
        let is_chunk = |address: u64| {
            address.is_multiple_of(ALIGNMENT_BYTES)
                && map.holds(&(address..address.saturating_add(32)))
        };
        Self::may_begin(self.layout, &self.bytes, map)
            && self.top() != 0
            && self.top().is_multiple_of(8)
            && (1..BINS).all(|bin| {
                let (first, last) = self.bin(bin);
                [first, last].into_iter().all(|end| end == self.bin_address(bin) || is_chunk(end))
            })
    }

    /// What can be checked without looking at the chunks.
    pub(super) fn check(&self, map: &FreeMap) -> Result<(), Inconsistency> {
        let aligned = |address: u64| address.is_multiple_of(ALIGNMENT_BYTES);
        if !LOCK_STATES.contains(&self.half(0)) || self.half(4) & !NON_CONTIGUOUS != 0 {
            return Err(Inconsistency::MallocState("lock or flags are no such thing"));
        }
        if self.next() == 0 || !self.next().is_multiple_of(8) {
            return Err(Inconsistency::MallocState("there is no next arena"));
        }
        let system_bytes = self.system_bytes();
        if system_bytes > self.max_system_bytes() || system_bytes > map.most_bytes() {
            return Err(Inconsistency::MallocState("it has more than the process"));
        }
        for bin in 1..BINS {
            let (first, last) = self.bin(bin);
            let address = self.bin_address(bin);
            let plausible = match (first == address, last == address) {
                (true, true) => true,
                (false, false) => aligned(first) && aligned(last) && self.may_have_chunks(bin),
                _ => false,
            };
            if !plausible {
                return Err(Inconsistency::MallocState("a bin's ends don't fit"));
            }
        }
        if self.has_no_memory() {
            return Ok(());
        }
        let top = self.top();
        let in_reach = top.checked_add(16).is_some_and(|end| map.holds(&(top..end)));
        if !aligned(top) || !in_reach || system_bytes == 0 {
            return Err(Inconsistency::MallocState("its top is nowhere"));
        }
        Ok(())
    }

    /// The unsorted bin has no bit of its own.
    fn may_have_chunks(&self, bin: usize) -> bool {
        bin == 1 || self.half(self.layout.binmap + bin / 32 * 4) & (1 << (bin % 32)) != 0
    }
}
