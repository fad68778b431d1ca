//! One arena's free memory, read and verified; how far that has come, and which arenas are at work.

use std::ops::Range;

use super::cache::Cache;
use super::chunk::{Chunk, FIRST_FAST, LinkProtection};
use super::error::{Inconsistency, Unreadable};
use super::heap_info::HeapInfos;
use super::heap_state::{Arena, Free};
use super::malloc_state::MallocState;
use super::map::FreeMap;
use super::memory::TargetMemory;
use super::pinning::PinningChunks;
use super::runs::{self, Runs};
use super::trim::Pages;
use super::verify::{apart, by_address, unchanged};
use super::walk::BinWalk;
use super::{trim, verify};

/// Reads of an arena that rests but has a flaw: it may have got memory since the mappings were read.
const MOST_FLAWED: u32 = 3;
/// Free memory that stays resident; of less, nobody asks what pins it.
const WORTH_READING_BYTES: u64 = 1 << 20;
/// Headers that are read together.
const BATCH: usize = 64;

#[derive(Debug)]
pub(super) struct ArenaSample {
    pub(super) header: MallocState,
    pub(super) main: bool,
    pub(super) was_read: bool,
    /// So often it rested and still had a flaw.
    flawed: u32,
    heaps: Vec<Range<u64>>,
    result: Result<Free, Inconsistency>,
}

impl ArenaSample {
    pub(super) fn new(index: usize, header: MallocState) -> Self {
        Self {
            header,
            main: index == 0,
            was_read: false,
            flawed: 0,
            heaps: Vec::new(),
            result: Err(Inconsistency::Others),
        }
    }

    /// Whether another read may tell more.
    pub(super) fn is_open(&self) -> bool {
        match self.result {
            Ok(_) | Err(Inconsistency::TooMany(_)) => false,
            Err(_) => self.flawed < MOST_FLAWED,
        }
    }

    /// Whether it was at rest when it was last asked, and wasn't read then.
    pub(super) fn rests(&self) -> bool {
        self.result == Err(Inconsistency::Others)
    }

    /// Whether the list of mappings may be too old for it.
    pub(super) fn may_have_grown(&self) -> bool {
        let explained = matches!(
            self.result,
            Err(Inconsistency::Locked | Inconsistency::Changed | Inconsistency::Others)
        );
        self.is_open() && !explained
    }

    /// Takes what a read gave; fails if no other read can give more.
    pub(super) fn take(
        &mut self,
        result: Result<Verified, Inconsistency>,
    ) -> Result<(), Unreadable> {
        self.was_read = true;
        match result {
            Err(Inconsistency::Unreadable(error)) if error.is_final() => return Err(error),
            Ok(_) | Err(Inconsistency::Locked | Inconsistency::Changed) => {}
            Err(_) => self.flawed += 1,
        }
        self.result = result.map(|found| {
            self.heaps = found.heaps;
            found.free
        });
        Ok(())
    }

    pub(super) fn into_arena(self) -> Arena {
        let (free, unknown) = match self.result {
            Ok(free) => (Some(free), None),
            Err(flaw) => (None, Some(flaw.to_string())),
        };
        Arena {
            address: self.header.address,
            main: self.main,
            locked: self.header.locked(),
            system_bytes: self.header.system_bytes(),
            heaps: self.heaps,
            free,
            unknown,
        }
    }
}

/// Reads the headers of all that aren't known.
pub(super) fn again(
    memory: &mut impl TargetMemory,
    readings: &mut [ArenaSample],
) -> Result<(), Unreadable> {
    let mut bytes = Vec::new();
    let mut open: Vec<&mut ArenaSample> = readings.iter_mut().filter(|one| one.is_open()).collect();
    for some in open.chunks_mut(BATCH) {
        let places: Vec<_> = some.iter().map(|reading| reading.header.place()).collect();
        bytes.clear();
        memory.read(&places, &mut bytes)?;
        let mut rest = &bytes[..];
        for reading in some {
            let (layout, address) = (reading.header.layout, reading.header.address);
            reading.header =
                MallocState::new(layout, address, rest).ok_or(Unreadable::NotMapped)?;
            rest = rest.get(layout.length..).unwrap_or_default();
        }
    }
    Ok(())
}

/// Reads the headers of all once more, of which none was read whole yet, and counts those at work:
/// whose lock is held, or which changed since they were read before.
pub(super) fn at_work(
    memory: &mut impl TargetMemory,
    readings: &mut [ArenaSample],
) -> Result<usize, Unreadable> {
    let open = readings.iter().filter(|one| one.is_open());
    let before: Vec<MallocState> = open.map(|one| one.header.clone()).collect();
    again(memory, readings)?;
    let open = readings.iter_mut().filter(|one| one.is_open());
    let mut count = 0;
    for (reading, before) in open.zip(before) {
        let header = &reading.header;
        let seen = if before.locked() || header.locked() {
            Inconsistency::Locked
        } else if header.same_as(&before) {
            Inconsistency::Others
        } else {
            Inconsistency::Changed
        };
        count += usize::from(seen != Inconsistency::Others);
        reading.result = Err(seen);
    }
    Ok(count)
}

#[derive(Debug)]
pub(super) struct Verified {
    pub(super) free: Free,
    /// Where the arena lies, as far as that is known.
    pub(super) heaps: Vec<Range<u64>>,
    /// Whether some of what is returnable is the main arena's top.
    pub(super) returns_top: bool,
    /// Where the top ends: at the break, if the arena is the main one and grows by it.
    pub(super) top_end: u64,
}

/// What arenas of one process are read with.
#[derive(Debug)]
pub(super) struct ArenaReader {
    pub(super) map: FreeMap,
    pub(super) sizes: Pages,
    links: &'static [LinkProtection],
    cache: Cache,
}

impl ArenaReader {
    pub(super) fn new(map: FreeMap, links: &'static [LinkProtection], page_bytes: u64) -> Self {
        Self {
            map,
            sizes: Pages { page_bytes, top_step_bytes: page_bytes },
            links,
            cache: Cache::default(),
        }
    }

    /// Reads an arena once: sees whether it rests, collects its free chunks, asks which pages are
    /// resident, and reads all of it again. Nothing is said of it unless all was the same both
    /// times, and nothing more is read once something wasn't.
    pub(super) fn free(
        &mut self,
        memory: &mut impl TargetMemory,
        header: &MallocState,
        main: bool,
    ) -> Result<Verified, Inconsistency> {
        let read = self.read(memory, header, main);
        read.map_err(|flaw| verify::explained(memory, header, flaw))
    }

    fn read(
        &mut self,
        memory: &mut impl TargetMemory,
        header: &MallocState,
        main: bool,
    ) -> Result<Verified, Inconsistency> {
        header.check(&self.map)?;
        let top_size_word = verify::steady(memory, header)?;
        let heaps = if main {
            HeapInfos::of_main(&self.map, header, top_size_word)?
        } else {
            HeapInfos::of(memory, &self.map, header)?
        };
        let cache = &mut self.cache;
        let walk = BinWalk::of(memory, cache, header, &heaps, top_size_word, self.links)?;
        let order = by_address(&walk);
        apart(&walk, &order, header)?;
        let given = trim::pages(&walk, &order, header, main, &self.map, self.sizes);
        let returnable_bytes = memory.resident_bytes(&given.pages)?;
        let locked_bytes = memory.resident_bytes(&given.locked)?;
        let huge_bytes = memory.resident_bytes(&given.huge)?;
        let top = given.kept_top.as_slice();
        let absent_bytes = length(&given.pages).saturating_sub(returnable_bytes)
            + length(&given.locked).saturating_sub(locked_bytes)
            + length(&given.huge).saturating_sub(huge_bytes)
            + length(top).saturating_sub(memory.resident_bytes(top)?);
        let sum = |wanted: fn(Chunk) -> bool| {
            let chunks = walk.chunks.iter().filter(|chunk| wanted(**chunk));
            chunks.map(|chunk| chunk.size()).sum()
        };
        let mut free = Free {
            chunks: walk.chunks.len() as u64,
            fast_bytes: sum(Chunk::is_fast),
            unsorted_bytes: sum(|chunk| chunk.bin() == 1),
            small_bytes: sum(|chunk| (2..64).contains(&chunk.bin())),
            large_bytes: sum(|chunk| (64..FIRST_FAST).contains(&chunk.bin())),
            top_bytes: walk.top_bytes,
            resident_bytes: 0,
            returnable_bytes,
            locked_bytes,
            huge_bytes,
            runs: Runs::of(&walk, &order, header, self.sizes.page_bytes),
        };
        let resident_bytes = free.total_bytes().saturating_sub(absent_bytes);
        free.resident_bytes = resident_bytes.max(returnable_bytes);
        if free.pinned_bytes() >= WORTH_READING_BYTES && memory.limits().pinning_bytes > 0 {
            let mut runs = Vec::new();
            runs::each(&walk, &order, header, |run| runs.push(run));
            let page_bytes = self.sizes.page_bytes;
            free.runs.pinning = Some(PinningChunks::between(&runs, memory, &heaps, page_bytes)?);
        }
        unchanged(memory, header, &walk, &order)?;
        Ok(Verified {
            free,
            heaps: heaps.ranges(),
            returns_top: given.has_top,
            top_end: header.top().saturating_add(walk.top_bytes),
        })
    }
}

fn length(pages: &[Range<u64>]) -> u64 {
    pages.iter().map(|pages| pages.end - pages.start).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake::Fake;
    use crate::layout::WITH_FAST_BINS;
    use crate::verify;

    const START: u64 = 0x40_0000;
    const APART: u64 = 0x1000;
    /// Of the top, in its arena.
    const TOP: u64 = 96;

    /// Three headers, each with a top of its own, behind them.
    fn three() -> (Fake, Vec<ArenaSample>) {
        let mut memory = Fake::new(START, 8 * APART);
        let readings = (0..3).map(|index| {
            let address = START + index * APART;
            memory.write(address + TOP, address + 4 * APART);
            memory.write(address + 4 * APART + 8, 0x101 + index);
            let header = MallocState::read(&mut memory, &WITH_FAST_BINS, address).unwrap();
            ArenaSample::new(index as usize, header)
        });
        let readings = readings.collect();
        (memory, readings)
    }

    #[test]
    fn what_is_locked_or_changes_is_at_work() {
        let (mut memory, mut readings) = three();
        assert_eq!(at_work(&mut memory, &mut readings), Ok(0));
        assert!(readings.iter().all(ArenaSample::rests));
        memory.write(START, 1);
        memory.write(START + APART + TOP, START + 7 * APART);
        assert_eq!(at_work(&mut memory, &mut readings), Ok(2));
        assert!(readings[0].header.locked());
        let seen = readings.iter().map(|reading| reading.result);
        let wanted = [Inconsistency::Locked, Inconsistency::Changed, Inconsistency::Others];
        assert_eq!(seen.collect::<Vec<_>>(), wanted.map(Err));
        // The second one has its new top since, and rests.
        assert_eq!(at_work(&mut memory, &mut readings), Ok(1));
        assert!(readings[1].rests());
    }

    #[test]
    fn a_glance_gives_the_size_of_a_top_that_rests() {
        let (mut memory, readings) = three();
        let header = &readings[2].header;
        assert_eq!(verify::steady(&mut memory, header), Ok(0x103));
        let wrong = Inconsistency::Chunk("");
        assert_eq!(verify::explained(&mut memory, header, wrong), wrong);
        memory.write(header.address + TOP, START);
        assert_eq!(verify::steady(&mut memory, header), Err(Inconsistency::Changed));
        let explained = verify::explained(&mut memory, header, wrong);
        assert_eq!(explained, Inconsistency::Changed);
    }

    #[test]
    fn a_flaw_that_stays_is_believed_after_some_reads() {
        let (_, mut readings) = three();
        let reading = &mut readings[0];
        for _ in 0..MOST_FLAWED {
            assert!(reading.is_open());
            reading.take(Err(Inconsistency::Chunk(""))).unwrap();
        }
        assert!(!reading.is_open());
        let gone = Inconsistency::Unreadable(Unreadable::Gone);
        assert_eq!(reading.take(Err(gone)), Err(Unreadable::Gone));
    }
}
