//! All arenas of a process: each knows the next one, the last one the main one again.

use std::collections::HashSet;

use super::flaw::Flaw;
use super::header::Header;
use super::map::Map;
use super::memory::Memory;

/// Arenas that are looked at. glibc makes eight times as many as there are CPUs.
const MOST_ARENAS: usize = 65_536;

/// Follows the ring from its main arena. What was read is in `arenas`, also where it fails.
pub(super) fn arenas(
    memory: &mut impl Memory,
    map: &Map,
    main: Header,
    arenas: &mut Vec<Header>,
) -> Result<(), Flaw> {
    let start = main.address;
    let layout = main.layout;
    let checked = main.check(map);
    let mut seen = HashSet::from([start]);
    let mut next = main.next();
    arenas.push(main);
    checked?;
    while next != start {
        let end = next.saturating_add(layout.length as u64);
        if arenas.len() >= MOST_ARENAS || !map.holds(&(next..end)) || !seen.insert(next) {
            return Err(Flaw::Header("the ring of arenas doesn't lead back"));
        }
        let header = Header::read(memory, layout, next)?;
        let checked = header.check(map);
        next = header.next();
        arenas.push(header);
        checked?;
    }
    Ok(())
}
