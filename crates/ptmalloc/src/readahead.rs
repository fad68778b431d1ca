//! Guesses where a list of free chunks leads next.
//!
//! One link after the other would be one system call after the other. But blocks that were taken and
//! freed in a row lie in a row, and so do their links. Guessed places are read together with the one
//! that is needed: the more, the longer the row has been. What isn't resident is not touched for a
//! guess.

use std::ops::Range;

use super::bin::Bin;
use super::cache::{MOST_SLOTS, PAGE_BYTES};
use super::chunk::SMALLEST_BYTES;
use super::error::Unreadable;
use super::heap_info::HeapInfos;
use super::memory::TargetMemory;

/// Pages that are guessed at once, for all lists together.
const MOST_PAGES: usize = MOST_SLOTS as usize / 2;
/// Steps no longer than this will lead to one of the next pages, also where they differ.
const SHORT_BYTES: u64 = 8 * PAGE_BYTES;
/// From equal steps of this length on, chunks are read alone: what is between them costs more.
const APART_BYTES: u64 = 1024;

/// Where a list's next chunk is: its first words, if it is far from the one before, or else the
/// page, as others will be on it.
pub(super) fn needed(list: &Bin) -> Range<u64> {
    let (start, end) = (list.next, list.next.saturating_add(SMALLEST_BYTES));
    let last = list.chunks.last();
    match last.is_some_and(|last| last.address.abs_diff(start) > SHORT_BYTES) {
        true => start..end,
        false => whole_pages(&(start..end)),
    }
}

/// Places that these lists will want after those of their next chunks, in rising order.
pub(super) fn places(
    memory: &mut impl TargetMemory,
    lists: &[&mut Bin],
    heaps: &HeapInfos<'_>,
) -> Result<Vec<Range<u64>>, Unreadable> {
    let most = MOST_PAGES / lists.len().max(1);
    let mut guessed = Vec::new();
    for list in lists {
        guess(list, &heaps.around(list.next), most, &mut guessed);
    }
    guessed.sort_unstable_by_key(|place| place.start);
    guessed.dedup_by(|next, place| {
        let meets = next.start <= place.end;
        if meets {
            place.end = place.end.max(next.end);
        }
        meets
    });
    let mut pages: Vec<Range<u64>> = Vec::with_capacity(guessed.len());
    for place in &guessed {
        let page = whole_pages(place);
        match pages.last_mut() {
            Some(last) if page.start <= last.end => last.end = page.end,
            _ => pages.push(page),
        }
    }
    let resident = memory.resident(&pages)?;
    Ok(within(&guessed, &resident))
}

/// Goes on from the last steps as they were, within this memory.
fn guess(list: &Bin, around: &Range<u64>, most: usize, guessed: &mut Vec<Range<u64>>) {
    let next = list.next;
    let starts = list.chunks.iter().rev().map(|chunk| chunk.address);
    let ends = std::iter::once(next).chain(starts.clone());
    let steps = ends.zip(starts).map(|(end, start)| end.wrapping_sub(start).cast_signed());
    let Some(step) = steps.clone().next() else {
        return;
    };
    let equal = steps.clone().take(most).take_while(|one| *one == step);
    let equal = equal.count();
    if equal > 1 && step.unsigned_abs() >= APART_BYTES {
        let places = (1..=(2 * equal).min(most) as i64)
            .map_while(|count| next.checked_add_signed(step.checked_mul(count)?))
            .map_while(|start| Some(start..start.checked_add(SMALLEST_BYTES)?));
        guessed.extend(places.take_while(|place| is_within(place, around)));
        return;
    }
    let is_alike = |one: &i64| one.signum() == step.signum() && one.unsigned_abs() <= SHORT_BYTES;
    let longest = most as u64 * PAGE_BYTES;
    let (mut count, mut passed) = (0, 0);
    for one in steps.take_while(is_alike) {
        (count, passed) = (count + 1, passed + one.unsigned_abs());
        if passed >= longest {
            break;
        }
    }
    if count < 2 {
        return;
    }
    let length = (2 * passed).next_multiple_of(PAGE_BYTES).min(longest);
    let page = whole_pages(&(next..next.saturating_add(SMALLEST_BYTES)));
    let pages = match step > 0 {
        true => page.end..around.end.min(page.end.saturating_add(length)),
        false => around.start.max(page.start.saturating_sub(length))..page.start,
    };
    guessed.extend((!pages.is_empty()).then_some(pages));
}

/// The pages that a place is on.
fn whole_pages(place: &Range<u64>) -> Range<u64> {
    let end = place.end.checked_next_multiple_of(PAGE_BYTES);
    place.start & !(PAGE_BYTES - 1)..end.unwrap_or(place.end)
}

fn is_within(place: &Range<u64>, around: &Range<u64>) -> bool {
    around.start <= place.start && place.end <= around.end
}

/// What of these places is within those; both are in rising order.
fn within(places: &[Range<u64>], those: &[Range<u64>]) -> Vec<Range<u64>> {
    let mut found = Vec::with_capacity(places.len());
    let mut those = those.iter().peekable();
    for place in places {
        while those.next_if(|one| one.end <= place.start).is_some() {}
        let in_reach = those.clone().take_while(|one| one.start < place.end);
        found.extend(in_reach.map(|one| place.start.max(one.start)..place.end.min(one.end)));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bin::BinKind;
    use crate::chunk::Chunk;
    use crate::chunk::LinkProtection;
    use crate::fake::Fake;
    use crate::map::FreeMap;

    const START: u64 = 0x40_0000;
    const PAGES: u64 = 64;

    /// A list that came by these places and goes on at the last.
    fn list(places: &[u64]) -> Bin {
        let (next, before) = places.split_last().unwrap();
        let mut list = Bin::new(BinKind::Chain(LinkProtection::Plain), 0, START + next);
        let chunks = before.iter().map(|at| Chunk::new(START + at, 32, 0));
        list.chunks = chunks.collect();
        list
    }

    /// What is guessed for lists, from the memory's beginning on.
    fn guessed(lists: &mut [Bin]) -> Vec<Range<u64>> {
        let mut map = FreeMap::default();
        let end = START + PAGES * PAGE_BYTES;
        map.add(START..end);
        let heaps = HeapInfos::Within(&map, START..end);
        let mut memory = Fake::new(START, PAGES * PAGE_BYTES);
        let lists: Vec<&mut Bin> = lists.iter_mut().collect();
        let places = places(&mut memory, &lists, &heaps).unwrap();
        let from_start = |place: Range<u64>| place.start - START..place.end - START;
        places.into_iter().map(from_start).collect()
    }

    fn guessed_of(places: &[u64]) -> Vec<Range<u64>> {
        guessed(&mut [list(places)])
    }

    fn pages(numbers: Range<u64>) -> [Range<u64>; 1] {
        let all = numbers.start * PAGE_BYTES..numbers.end * PAGE_BYTES;
        [all]
    }

    fn chunks(starts: &[u64]) -> Vec<Range<u64>> {
        starts.iter().map(|start| *start..start + 32).collect()
    }

    #[test]
    fn equal_steps_go_on_for_twice_as_long() {
        let upwards = guessed_of(&[0x10, 0x4010, 0x8010]);
        assert_eq!(upwards, chunks(&[0xc010, 0x1_0010, 0x1_4010, 0x1_8010]));
        let downwards = guessed_of(&[0xf010, 0xb010, 0x7010]);
        assert_eq!(downwards, chunks(&[0x3010]), "as far as there is memory");
        let far: Vec<u64> = (0..40).map(|count| count * 0x400).collect();
        let within_pages = guessed_of(&far);
        assert_eq!(within_pages.len(), 78);
        assert_eq!(within_pages[0], 0xa000..0xa020);
    }

    #[test]
    fn short_steps_in_one_direction_lead_to_the_next_pages() {
        assert_eq!(guessed_of(&[0x10, 0x110, 0x210]), pages(1..2));
        assert_eq!(guessed_of(&[0, 0x1800, 0x2100]), pages(3..8));
        assert_eq!(guessed_of(&[0x9010, 0x8010, 0x6f00]), pages(1..6));
        let dense: Vec<u64> = (0..1000).map(|count| count * 0x80).collect();
        assert_eq!(guessed_of(&dense), pages(32..64), "as far as there is memory");
    }

    #[test]
    fn nothing_is_guessed_from_one_step_or_far_away() {
        assert_eq!(guessed_of(&[0]), []);
        assert_eq!(guessed_of(&[0, 0x1800]), []);
        assert_eq!(guessed_of(&[0, 0x1800, 0x1000]), []);
        assert_eq!(guessed_of(&[0, 0x1800, 0x1_8000]), []);
        assert_eq!(guessed_of(&[0, 0, 0]), []);
    }

    #[test]
    fn places_of_several_lists_are_in_one_order() {
        let mut both = [list(&[0x10, 0x110, 0x210]), list(&[0, 0x400, 0x800])];
        let twice = guessed(&mut both);
        let mut wanted = chunks(&[0xc00]);
        wanted.push(0x1000..0x2000);
        assert_eq!(twice, wanted);
    }

    #[test]
    fn the_first_words_are_needed_or_the_page() {
        assert_eq!(needed(&list(&[0x10])), START..START + PAGE_BYTES);
        let near = needed(&list(&[0x10, 0x1ff0]));
        assert_eq!(near, START + 0x1000..START + 0x3000);
        let far = needed(&list(&[0x10, 0x9010]));
        assert_eq!(far, START + 0x9010..START + 0x9030);
    }

    #[test]
    fn what_is_within_both() {
        let found = within(&[0..10, 20..30, 40..50], &[5..25, 45..47, 48..60]);
        assert_eq!(found, [5..10, 20..25, 45..47, 48..50]);
    }
}
