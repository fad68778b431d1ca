//! All arenas of a process: each knows the next one, the last one the main one again.

use std::collections::HashSet;

use super::inconsistency::Inconsistency;
use super::limits::Bound;
use super::malloc_state::MallocState;
use super::map::FreeMap;
use super::memory::{TargetMemory, Unreadable};

/// Reads of a header that doesn't fit together.
const ATTEMPTS: usize = 4;

/// Follows the ring from its main arena. What was read is in `arenas`, also where it fails.
pub(super) fn arenas(
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
            return Err(Inconsistency::MallocState(
                "the ring of arenas doesn't lead back",
            ));
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
