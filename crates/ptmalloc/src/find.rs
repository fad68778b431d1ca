//! Finds the arenas: the main one in the writable memory of the library that has it, from there the
//! others, each of which knows the next one, the last one the main one again.
//!
//! What doesn't change while threads are at work in it tells the main arena: the next arena is in
//! writable memory, lock and flags are such, and each of the 254 ends of its bins is the bin itself
//! or a place where a chunk can be. How many bins are empty doesn't matter. Which of those that seem
//! to be one it is, is told by the rest of the header and by the ring of arenas.

use std::collections::HashSet;

use proc_memory::word;

use super::error::Bound;
use super::error::{Inconsistency, Unreadable};
use super::layout::{LAYOUTS, Layout};
use super::malloc_state::MallocState;
use super::map::FreeMap;
use super::memory::TargetMemory;

/// What was found in a piece of memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FoundArenas {
    pub(super) layout: &'static Layout,
    pub(super) address: u64,
}

/// Where the main arena may be in these bytes, which are at this address. What can't be one, also
/// not in the middle of a change, is not among them. `check` is asked before what takes longer, and its
/// errors are handed on.
pub(super) fn candidates(
    bytes: &[u8],
    address: u64,
    map: &FreeMap,
    check: impl Fn() -> Result<(), Unreadable>,
) -> impl Iterator<Item = Result<MallocState, Unreadable>> {
    let starts = (0..bytes.len()).step_by(8);
    let places = starts.flat_map(|start| LAYOUTS.map(|layout| (start, layout)));
    places.filter_map(move |(start, layout)| {
        let rest = &bytes[start..];
        if !MallocState::may_begin(layout, rest, map) {
            return None;
        }
        if let Err(error) = check() {
            return Some(Err(error));
        }
        let header = MallocState::new(layout, address + start as u64, rest)?;
        header.resembles(map).then_some(Ok(header))
    })
}

/// Where in these bytes an arena is that was never used: it is its own successor and otherwise
/// empty.
pub(super) fn unused(bytes: &[u8], address: u64) -> Option<FoundArenas> {
    (0..bytes.len() / 8).map(|index| index * 8).find_map(|at| {
        let value = word(bytes, at);
        LAYOUTS.into_iter().find_map(|layout| {
            let start = at.checked_sub(layout.next)?;
            (value == address + start as u64).then_some(())?;
            let header = MallocState::new(layout, value, bytes.get(start..)?)?;
            header.is_unused().then_some(FoundArenas { layout, address: value })
        })
    })
}

/// Reads of a header that doesn't fit together.
const ATTEMPTS: usize = 4;

/// Follows the ring from its main arena. What was read is in `arenas`, also where it fails.
pub(super) fn ring(
    memory: &mut impl TargetMemory,
    map: &FreeMap,
    main: MallocState,
    arenas: &mut Vec<MallocState>,
) -> Result<(), Inconsistency> {
    let start = main.address;
    let layout = main.layout;
    let main = settled(memory, map, main)?;
    let checked = main.check(map);
    let mut seen = HashSet::from([start]);
    let mut next = main.next();
    arenas.push(main);
    checked?;
    while next != start {
        let end = next.saturating_add(layout.length as u64);
        let most = memory.limits().arenas;
        if arenas.len() >= most {
            return Err(Unreadable::from(Bound::Arenas(most)).into());
        }
        if !map.holds(&(next..end)) || !seen.insert(next) {
            return Err(Inconsistency::MallocState("the ring of arenas doesn't lead back"));
        }
        let header = MallocState::read(memory, layout, next)?;
        let header = settled(memory, map, header)?;
        let checked = header.check(map);
        next = header.next();
        arenas.push(header);
        checked?;
    }
    Ok(())
}

/// A header that fits together, if it does so in one of a few reads: in the middle of a change it is
/// for some nanoseconds only, and to begin anew costs more than to read it again.
fn settled(
    memory: &mut impl TargetMemory,
    map: &FreeMap,
    mut header: MallocState,
) -> Result<MallocState, Inconsistency> {
    for _ in 1..ATTEMPTS {
        if header.check(map).is_ok() {
            break;
        }
        header = MallocState::read(memory, header.layout, header.address)?;
    }
    Ok(header)
}
