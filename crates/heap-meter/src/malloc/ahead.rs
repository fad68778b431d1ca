//! Guesses which pages a list of free chunks leads to next.
//!
//! One link after the other would be one system call after the other. But blocks that were taken and
//! freed in a row lie in a row, and so do their links. Guessed pages are read together with the one
//! that is needed; what isn't resident is not touched for a guess.

use std::ops::Range;

use super::cache::PAGE_BYTES;
use super::heaps::Heaps;
use super::list::List;
use super::memory::{Memory, Unreadable};

/// Steps that are guessed at once.
const STEPS: u64 = 32;
/// Lists are guessed for as long as there are no more: many are followed at once anyway.
const MOST_LISTS: usize = 8;
/// Steps that differ, but are no longer than this, will lead to one of the next pages.
const SHORT_BYTES: u64 = 8 * PAGE_BYTES;

/// Pages that these lists will want after those of their next chunks, in rising order; none if some
/// of them aren't resident.
pub(super) fn pages(
    memory: &mut impl Memory,
    lists: &[&mut List],
    heaps: &Heaps<'_>,
) -> Result<Vec<Range<u64>>, Unreadable> {
    if lists.len() > MOST_LISTS {
        return Ok(Vec::new());
    }
    let mut starts = Vec::new();
    for list in lists {
        let Some(step) = step(list) else { continue };
        let steps = 1..=STEPS as i64;
        let guessed =
            steps.map_while(|count| list.next.checked_add_signed(step.checked_mul(count)?));
        starts.extend(guessed.map(|address| address & !(PAGE_BYTES - 1)));
    }
    starts.sort_unstable();
    starts.dedup();
    let pages: Vec<Range<u64>> = starts
        .into_iter()
        .filter_map(|start| Some(start..start.checked_add(PAGE_BYTES)?))
        .filter(|page| heaps.hold(page) && lists.iter().all(|list| !page.contains(&list.next)))
        .collect();
    let length = pages.len() as u64 * PAGE_BYTES;
    match memory.resident_bytes(&pages)? == length {
        true => Ok(pages),
        false => Ok(Vec::new()),
    }
}

/// From one chunk to the next, if the last two steps tell it.
fn step(list: &List) -> Option<i64> {
    let [.., first, second] = &list.chunks[..] else {
        return None;
    };
    let from = |a: u64, b: u64| b.wrapping_sub(a).cast_signed();
    let (before, last) = (
        from(first.address, second.address),
        from(second.address, list.next),
    );
    let is_short = |step: i64| step.unsigned_abs() <= SHORT_BYTES;
    if before == last {
        Some(last)
    } else if before.signum() == last.signum() && is_short(before) && is_short(last) {
        Some(last.signum() * PAGE_BYTES.cast_signed())
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::super::fake::Fake;
    use super::super::links::Links;
    use super::super::list::Kind;
    use super::super::map::Map;
    use super::super::walk::Chunk;
    use super::*;

    const START: u64 = 0x40_0000;
    const PAGES: u64 = 64;

    /// A list that came by these places and goes on at the last.
    fn guessed(places: [u64; 3]) -> Vec<Range<u64>> {
        let [first, second, next] = places.map(|offset| START + offset);
        let mut list = List::new(Kind::Chain(Links::Plain), 0, next);
        list.chunks = [first, second].map(|at| Chunk::new(at, 32, 0)).into();
        let mut map = Map::default();
        let end = START + PAGES * PAGE_BYTES;
        map.add(START..end);
        let heaps = Heaps::Within(&map, START..end);
        let mut memory = Fake::new(START, PAGES * PAGE_BYTES);
        pages(&mut memory, &[&mut list], &heaps).unwrap()
    }

    fn page(number: u64) -> Range<u64> {
        let start = START + number * PAGE_BYTES;
        start..start + PAGE_BYTES
    }

    #[test]
    fn equal_steps_go_on() {
        let every_fourth = guessed([0, 0x4000, 0x8000]);
        let wanted: Vec<_> = (12..PAGES).step_by(4).map(page).collect();
        assert_eq!(every_fourth, wanted, "as far as there is memory");
        let downwards = guessed([0xf010, 0xb010, 0x7010]);
        assert_eq!(downwards, [page(3)]);
        let within_a_page = guessed([0x10, 0x110, 0x210]);
        assert_eq!(within_a_page, [page(1), page(2)]);
    }

    #[test]
    fn short_steps_in_one_direction_lead_to_the_next_pages() {
        let upwards = guessed([0, 0x1800, 0x2100]);
        assert_eq!(upwards, (3..35).map(page).collect::<Vec<_>>());
        assert_eq!(guessed([0, 0x1800, 0x1000]), []);
        assert_eq!(guessed([0, 0x1800, 0x1_8000]), []);
    }

    #[test]
    fn nothing_is_guessed_from_one_step_or_far_away() {
        assert_eq!(guessed([0, 0, 0]), []);
        assert_eq!(guessed([0, 0x2_0000, 0x4_0000]), []);
    }
}
