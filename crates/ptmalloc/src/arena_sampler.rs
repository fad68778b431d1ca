//! Reads all arenas of a process that may be at work, as often as it makes sense.
//!
//! Not one after the other until each is known, but all in rounds: in each round those that aren't
//! known yet are asked whether they rest, which is cheap, and are read if they do. So all of them
//! have the whole time to rest once. As long as too many are at work at the same time nothing more
//! is done than to ask: to read an arena costs a hundred times as much, both here and where the
//! process waits for the same memory.

use std::ops::Range;

use proc_memory::{Process, page_size_bytes};

use super::arena_sample::{ArenaReader, ArenaSample, Verified};
use super::backoff::Backoff;
use super::chunk::LinkProtection;
use super::error::{Inconsistency, Unknown, Unreadable};
use super::heap_state::{Arena, Free, HeapState};
use super::limits::Lists;
use super::malloc_state::MallocState;
use super::map::FreeMap;
use super::memory::Remote;
use super::trim::locked;
use super::{arena_sample, parameters, trim};

/// One of so many arenas may be at work, or just one, where reading them begins: the others will
/// hardly be found at rest, and what is read of some of them is of little use without the rest.
const MOST_AT_WORK: usize = 4;

/// Reads the state of a process whose arenas were found: that of each arena, and their sums.
pub(super) fn state<'p>(
    remote: &mut Remote<'p>,
    process: &'p Process,
    headers: Vec<MallocState>,
    map: FreeMap,
    links: &'static [LinkProtection],
    lists: Lists,
) -> Result<HeapState, Unknown> {
    let non_contiguous = headers[0].non_contiguous();
    let mmapped = parameters::mmapped(remote, &headers[0], &map)
        .map_err(|error| Unknown::of_memory(process, error))?;
    let mut reader = ArenaSampler {
        remote,
        process,
        arenas: ArenaReader::new(map, links, page_size_bytes()),
        locked: None,
        has_break_renewed: false,
        beyond_top_bytes: 0,
        step_is_known: false,
        patience: Backoff::new(),
    };
    let each = headers.into_iter().enumerate();
    let mut readings: Vec<ArenaSample> =
        each.map(|(index, one)| ArenaSample::new(index, one)).collect();
    if lists != Lists::Left {
        let read = reader.all(&mut readings);
        read.map_err(|error| Unknown::of_memory(process, error))?;
    }
    let beyond_top_bytes = reader.beyond_top_bytes;
    let arenas: Vec<Arena> = readings.into_iter().map(ArenaSample::into_arena).collect();
    let sum = |of: fn(&Free) -> u64| {
        let each = arenas.iter().map(|arena| arena.free.as_ref().map(of));
        each.sum::<Option<u64>>()
    };
    Ok(HeapState {
        non_contiguous,
        system_bytes: arenas.iter().map(|arena| arena.system_bytes).sum(),
        mmapped,
        mmapped_unknown: mmapped.is_none().then(|| parameters::UNKNOWN.to_owned()),
        free_bytes: sum(Free::total_bytes),
        returnable_bytes: sum(|free| free.returnable_bytes),
        pinned_bytes: sum(Free::pinned_bytes),
        beyond_top_bytes,
        arenas,
    })
}

struct ArenaSampler<'a, 'p> {
    remote: &'a mut Remote<'p>,
    process: &'p Process,
    arenas: ArenaReader,
    /// What is locked, once it was asked for.
    locked: Option<Vec<Range<u64>>>,
    /// Whether the break was looked for once more, since the top didn't end there.
    has_break_renewed: bool,
    /// What lies between the top and the end of `[heap]`.
    beyond_top_bytes: u64,
    /// Whether it was asked by how much the top shrinks.
    step_is_known: bool,
    patience: Backoff,
}

impl ArenaSampler<'_, '_> {
    /// Reads all, and those again that aren't known, until patience ends. Fails only where nothing
    /// can be read any longer.
    fn all(&mut self, readings: &mut [ArenaSample]) -> Result<(), Unreadable> {
        let mut reads = readings.len() == 1;
        let mut is_stopped = None;
        loop {
            reads = reads || self.most_rest(readings)?;
            if reads {
                self.round(readings)?;
            }
            if !readings.iter().any(ArenaSample::is_open) {
                return Ok(());
            }
            let may_have_grown = readings.iter().any(ArenaSample::may_have_grown);
            let is_stopped = *is_stopped.get_or_insert_with(|| is_stopped_whole(self.process));
            if is_stopped && reads && !may_have_grown || !is_stopped && !self.patience.wait() {
                break;
            }
            // What stands still won't change: all that can be had of it is to be had now.
            reads |= is_stopped;
            if may_have_grown {
                self.refresh();
            }
            let work = self.patience.at_work();
            arena_sample::again(self.remote, readings)?;
            self.patience.spend(work);
        }
        // The sums won't be known then, but the main arena is of use by itself.
        match readings.iter_mut().find(|one| one.main && one.rests()) {
            Some(main) => self.one(main),
            None => Ok(()),
        }
    }

    /// Whether so many arenas rest that all may be known soon: then it is worth to read them.
    fn most_rest(&mut self, readings: &mut [ArenaSample]) -> Result<bool, Unreadable> {
        let work = self.patience.at_work();
        let at_work = arena_sample::at_work(self.remote, readings)?;
        self.patience.spend(work);
        Ok(at_work <= (readings.len() / MOST_AT_WORK).max(1))
    }

    /// Reads those that aren't known, each once at least.
    fn round(&mut self, readings: &mut [ArenaSample]) -> Result<(), Unreadable> {
        for reading in readings.iter_mut().filter(|reading| reading.is_open()) {
            if !reading.was_read || !self.patience.is_spent() {
                self.one(reading)?;
            }
        }
        Ok(())
    }

    fn one(&mut self, reading: &mut ArenaSample) -> Result<(), Unreadable> {
        let work = self.patience.at_work();
        let result = self.once(&reading.header, reading.main);
        if result.is_err() {
            self.patience.spend(work);
        }
        reading.take(result)
    }

    /// Reads an arena; what the figure depends on besides it is asked for only now that it matters,
    /// and once.
    fn once(&mut self, header: &MallocState, main: bool) -> Result<Verified, Inconsistency> {
        let mut found = self.read(header, main)?;
        let at_break = main && !header.non_contiguous();
        if at_break && !self.has_break_renewed && self.arenas.map.break_end != Some(found.top_end) {
            // It has moved since it was looked for, or another mapping has merged with its own.
            self.has_break_renewed = true;
            self.refresh();
            found = self.read(header, main)?;
        }
        if at_break && let Some(end) = self.arenas.map.break_end {
            self.beyond_top_bytes = end.saturating_sub(found.top_end);
        }
        if found.free.returnable_bytes == 0 {
            return Ok(found);
        }
        let mut differs = false;
        if self.locked.is_none() {
            let locked = locked(self.process, &self.remote.deadline())?;
            differs |= !locked.is_empty();
            self.arenas.map.keep(&locked);
            self.locked = Some(locked);
        }
        if found.returns_top && !self.step_is_known {
            let step_bytes = trim::top_step_bytes(self.process);
            differs |= step_bytes != self.arenas.sizes.top_step_bytes;
            self.arenas.sizes.top_step_bytes = step_bytes;
            self.step_is_known = true;
        }
        match differs {
            true => self.read(header, main),
            false => Ok(found),
        }
    }

    fn read(&mut self, header: &MallocState, main: bool) -> Result<Verified, Inconsistency> {
        self.arenas.free(self.remote, header, main)
    }

    fn refresh(&mut self) {
        let locked = self.locked.as_deref().unwrap_or_default();
        // A process that has ended shows in the next read.
        self.arenas.map.renew(self.process, locked);
    }
}

/// Whether its main thread was stopped, by a signal or by a debugger: then the others were, too, and
/// to wait for them is in vain.
fn is_stopped_whole(process: &Process) -> bool {
    process.stat().is_ok_and(|stat| stat.is_stopped())
}
