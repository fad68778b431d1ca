//! Figures against those that the process has of itself (`mallinfo2(3)`): equal to the byte.

use heap_meter::malloc::{Free, State};

use super::target::Target;

fn sum(state: &State, of: fn(&Free) -> u64) -> u64 {
    let free = |arena: &heap_meter::malloc::Arena| of(arena.free.as_ref().unwrap());
    state.arenas.iter().map(free).sum()
}

/// Runs a command and compares.
fn assert_equal(target: &mut Target, command: &str) {
    target.told(command);
    let info = target.tell("i");
    let info: Vec<u64> = info.split(' ').map(|part| part.parse().unwrap()).collect();
    let [arena, fordblks, fsmblks, keepcost, blocks] = info[..] else {
        panic!("{info:?}");
    };
    let state = target.state();
    assert_eq!(state.system_bytes, arena, "{command}");
    assert_eq!(state.free_bytes, Some(fordblks), "{command}");
    assert_eq!(sum(&state, |free| free.fast_bytes), fsmblks, "{command}");
    assert_eq!(
        state.arenas[0].free.unwrap().top_bytes,
        keepcost,
        "{command}"
    );
    // mallinfo2 counts each top, too.
    let chunks = sum(&state, |free| free.chunks) + state.arenas.len() as u64;
    assert_eq!(chunks, blocks, "{command}");
    let parts = sum(&state, Free::total_bytes);
    assert_eq!(parts, fordblks);
    let flags: Vec<bool> = state.arenas.iter().map(|arena| arena.main).collect();
    assert!(flags[0] && flags[1..].iter().all(|main| !main), "{flags:?}");
}

#[test]
fn are_equal_to_the_byte() {
    let mut target = Target::start();
    for command in [
        "c 1 24 24 1",
        "c 20000 20 20000 50",
        "c 30000 20 200 3",
        "c 100 100000 2000000 2",
        "h",
        "c 20000 20 20000 7",
        "s 0",
    ] {
        assert_equal(&mut target, command);
    }
}

#[test]
fn are_equal_with_many_arenas() {
    let mut target = Target::start();
    assert_equal(&mut target, "t 8");
    assert_equal(&mut target, "c 30000 20 200 3");
}

#[test]
fn are_equal_with_half_a_million_chunks() {
    let mut target = Target::start();
    assert_equal(&mut target, "c 1000000 20 100 2");
}

#[test]
fn large_blocks_are_in_large_bins_and_small_ones_in_small() {
    let mut target = Target::start();
    // No fast bins (M_MXFAST is 1), and blocks too large for the threads' caches.
    target.tell("m 1 0");
    target.told("c 2000 2000 9000 2");
    // A request that nothing free fits sorts what isn't sorted.
    target.told("c 1 100000 100000 1");
    let free = target.state().arenas[0].free.unwrap();
    assert_eq!(free.fast_bytes, 0);
    assert!(free.large_bytes > 4_000_000, "{free:?}");
}

#[test]
fn reading_changes_nothing() {
    let mut target = Target::start();
    target.told("c 20000 20 20000 50");
    target.tell("T");
    // Free memory that isn't resident must not become so.
    let before = target.rss_bytes();
    let state = target.state();
    for _ in 0..5 {
        assert_eq!(target.state(), state);
    }
    assert!(target.rss_bytes() <= before, "{before}");
}
