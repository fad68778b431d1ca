//! Where in a process malloc's memory can be at all.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::ops::Range;

use proc_memory::{Mappings, Process, Stat, of_one_program};

/// Pieces that are known at a time; who has more is asked about again.
const MOST_PIECES: usize = 100_000;

/// Private writable memory of a process, which is asked for where it matters.
#[derive(Debug, Default)]
pub(super) struct FreeMap {
    /// Who tells what isn't known yet; none where all is known.
    mappings: RefCell<Option<Mappings>>,
    /// What is known: by their starts, ends and whether it is private writable memory.
    pieces: RefCell<BTreeMap<u64, MapPiece>>,
    /// Where a chunk was a moment ago; the next one is mostly there, too.
    recent: Cell<(u64, u64)>,
    /// What `madvise` refuses to give back: huge pages of the hugetlb file system, which aren't
    /// counted in the rss either, and locked memory.
    kept: RefCell<BTreeMap<u64, KeptPiece>>,
    /// Where the break ends, rounded up to a page; `None` if it isn't known or there is none.
    pub(super) break_end: Option<u64>,
    /// Where the heap begins that the break ends; `None` if it isn't known.
    heap_start: Option<u64>,
    /// All that is mapped: no arena has more.
    most_bytes: u64,
}

#[derive(Clone, Copy, Debug)]
struct MapPiece {
    end: u64,
    is_private_data: bool,
}

#[derive(Clone, Copy, Debug)]
struct KeptPiece {
    end: u64,
    is_huge: bool,
}

impl FreeMap {
    /// Of these mappings, of the program that `stat` tells of, whose break ends there.
    pub(super) fn of(mappings: Mappings, stat: &Stat, break_end: Option<u64>) -> Self {
        Self {
            mappings: RefCell::new(Some(mappings)),
            break_end,
            heap_start: stat.start_brk(),
            most_bytes: stat.address_space_bytes,
            ..Self::default()
        }
    }

    /// Forgets what may have changed, but not what is locked. False if the process has no mappings
    /// any more; then all stays.
    pub(super) fn renew(&mut self, process: &Process, locked: &[Range<u64>]) -> bool {
        let fresh = of_one_program(process, None, |mut mappings, stat| {
            let found = mappings.program_break(stat.start_brk());
            let found = found.map_err(|error| error.of(process))?;
            Ok(Self::of(mappings, stat, found.map(|heap| heap.end)))
        });
        let Ok(fresh) = fresh else {
            return false;
        };
        *self = fresh;
        self.keep(locked);
        true
    }

    /// Changes when the process gets memory, or gives some back.
    pub(super) fn extent(&self) -> (u64, Option<u64>) {
        (self.most_bytes, self.break_end)
    }

    pub(super) fn add(&mut self, range: Range<u64>) {
        self.most_bytes = self.most_bytes.saturating_add(range.end - range.start);
        let is_private_data = true;
        let end = range.end;
        let piece = MapPiece { end, is_private_data };
        self.pieces.get_mut().insert(range.start, piece);
    }

    /// Whether the whole of a range is private writable memory.
    pub(super) fn holds(&self, range: &Range<u64>) -> bool {
        if range.start > range.end {
            return false;
        }
        let (start, end) = self.recent.get();
        if start <= range.start && range.end <= end {
            return true;
        }
        let mut next = range.start;
        loop {
            match self.piece(next) {
                Some((start, piece)) if piece.is_private_data => {
                    if range.end <= piece.end {
                        self.recent.set((start, piece.end));
                        return true;
                    }
                    next = piece.end;
                }
                _ => return false,
            }
        }
    }

    /// How much of a range round an address is the same piece of private writable memory.
    pub(super) fn part_around(&self, address: u64, range: &Range<u64>) -> Range<u64> {
        match self.piece(address) {
            Some((start, piece)) if piece.is_private_data => {
                range.start.max(start)..range.end.min(piece.end)
            }
            _ => address..address,
        }
    }

    /// Whether an address is between the heap's beginning and the break.
    pub(super) fn is_in_heap(&self, address: u64) -> bool {
        let heap = self.heap_start.zip(self.break_end);
        heap.is_some_and(|(start, end)| (start..=end).contains(&address))
    }

    fn piece(&self, address: u64) -> Option<(u64, MapPiece)> {
        let known = {
            let pieces = self.pieces.borrow();
            let below = pieces.range(..=address).next_back();
            below.map(|(start, piece)| (*start, *piece))
        };
        known.filter(|(_, piece)| address < piece.end).or_else(|| self.ask(address))
    }

    /// Asks what is there. What can't be told counts as nothing: whatever malloc has there can't be
    /// read either.
    fn ask(&self, address: u64) -> Option<(u64, MapPiece)> {
        let mut mappings = self.mappings.borrow_mut();
        let found = mappings.as_mut()?.memory(address).ok()?;
        let (start, piece) = match found {
            Some(memory) if memory.range.start <= address => {
                if memory.is_huge {
                    let piece = KeptPiece { end: memory.range.end, is_huge: true };
                    self.kept.borrow_mut().insert(memory.range.start, piece);
                }
                let piece =
                    MapPiece { end: memory.range.end, is_private_data: memory.is_private_data };
                (memory.range.start, piece)
            }
            // Nothing, up to there.
            next => {
                let piece = MapPiece {
                    end: next.map_or(u64::MAX, |memory| memory.range.start),
                    is_private_data: false,
                };
                (address, piece)
            }
        };
        let mut pieces = self.pieces.borrow_mut();
        if pieces.len() >= MOST_PIECES {
            pieces.clear();
        }
        pieces.insert(start, piece);
        Some((start, piece))
    }

    pub(super) fn keep(&mut self, locked: &[Range<u64>]) {
        let piece = |end| KeptPiece { end, is_huge: false };
        let locked = locked.iter().map(|range| (range.start, piece(range.end)));
        self.kept.get_mut().extend(locked);
    }

    /// Where in a range, of which it is known what it is, memory begins that isn't given back, and
    /// whether that is for its huge pages.
    pub(super) fn first_kept(&self, range: &Range<u64>) -> Option<(u64, bool)> {
        let kept = self.kept.borrow();
        let at_start = kept.range(..=range.start).next_back();
        match at_start.filter(|(_, piece)| range.start < piece.end) {
            Some((_, piece)) => Some((range.start, piece.is_huge)),
            None => kept.range(range.clone()).next().map(|(start, piece)| (*start, piece.is_huge)),
        }
    }

    /// No arena has more than this.
    pub(super) fn most_bytes(&self) -> u64 {
        self.most_bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_are_one() {
        let mut map = FreeMap::default();
        for range in [0x1000..0x2000, 0x2000..0x4000, 0x5000..0x7000] {
            map.add(range);
        }
        assert!(map.holds(&(0x1000..0x4000)));
        assert!(map.holds(&(0x1ff8..0x2008)));
        assert!(!map.holds(&(0x1000..0x4001)));
        assert!(!map.holds(&(0xfff..0x2000)));
        assert!(!map.holds(&(0x3000..0x6000)));
        assert!(!map.holds(&(0..8)));
        assert!(!map.holds(&(u64::MAX - 8..u64::MAX)));
        assert_eq!(map.most_bytes(), 0x5000);
        let locked = 0x3000..0x4000;
        map.keep(std::slice::from_ref(&locked));
        for (range, first) in [
            (0x2000..0x3000, None),
            (0x2000..0x5000, Some(0x3000)),
            (0x3000..0x3800, Some(0x3000)),
            (0x3800..0x5000, Some(0x3800)),
            (0x4000..0x5000, None),
        ] {
            let first = first.map(|start| (start, false));
            assert_eq!(map.first_kept(&range), first, "{range:x?}");
        }
    }

    #[test]
    fn this_process_is_asked_where_it_matters() {
        let process = Process::open(std::process::id() as i32).unwrap();
        let mut map = FreeMap::default();
        assert!(map.renew(&process, &[]));
        let local = 1_u64;
        let code = FreeMap::of as *const () as u64;
        let variable = &raw const local as u64;
        assert!(map.holds(&(variable..variable + 8)), "a stack");
        assert!(map.holds(&(variable..variable + 8)), "and again");
        assert!(!map.holds(&(code..code + 8)), "code");
        assert!(!map.holds(&(8..16)), "nothing");
        assert!(map.most_bytes() > 0 && map.break_end.is_some());
    }
}
