//! Reading this process's own memory.

use super::*;

#[test]
fn heads_are_those_of_their_places_and_one_that_is_not_there_hides_no_other() {
    let process = Process::open(std::process::id() as i32).unwrap();
    let space = Space::of(&process, WeighedMapping::all(&process).unwrap()).unwrap();
    let memory: Vec<u64> = (0..1 << 20).collect();
    let start = memory.as_ptr() as u64;
    // Many on one page, out of order, more pages than one call reads; and two of nothing.
    let mut places: Vec<u64> = (0..1 << 16).map(|number| start + number * 8 * 16).collect();
    places[3000..5000].reverse();
    places.insert(100, 8);
    places.push(8);
    let mut told = 0;
    space.heads(&places, 16, |at, head| {
        let number = (at - start) / 8;
        assert_eq!([proc_memory::word(head, 0), proc_memory::word(head, 8)], [number, number + 1]);
        told += 1;
    });
    assert_eq!(told, 1 << 16);
}
