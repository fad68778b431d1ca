//! Figures against those that the process has of itself (`mallinfo2(3)`): equal to the byte.

use std::process::Command;

use ptmalloc::{Free, HeapState, Mmapped};

use super::target::{Target, quiet};
use crate::compiled;
use suite::installed;

fn sum(state: &HeapState, of: fn(&Free) -> u64) -> u64 {
    let free = |arena: &ptmalloc::Arena| of(arena.free.as_ref().unwrap());
    state.arenas.iter().map(free).sum()
}

/// Runs a command and compares.
fn assert_equal(target: &mut Target, command: &str) {
    target.told(command);
    let info = target.tell("i");
    let info: Vec<u64> = info.split(' ').map(|part| part.parse().unwrap()).collect();
    let [arena, fordblks, fsmblks, keepcost, blocks, hblks, hblkhd] = info[..] else {
        panic!("{info:?}");
    };
    let state = target.state();
    assert_eq!(state.system_bytes, arena, "{command}");
    assert_eq!(state.free_bytes, Some(fordblks), "{command}");
    assert_eq!(sum(&state, |free| free.fast_bytes), fsmblks, "{command}");
    assert_eq!(state.arenas[0].free.unwrap().top_bytes, keepcost, "{command}");
    // mallinfo2 counts each top, too.
    let chunks = sum(&state, |free| free.chunks) + state.arenas.len() as u64;
    assert_eq!(chunks, blocks, "{command}");
    assert_eq!(state.mmapped, Some(Mmapped::new(hblks, hblkhd)), "{command}");
    assert_eq!(state.total_bytes(), Some(arena + hblkhd), "{command}");
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
fn are_equal_with_blocks_that_have_mappings_of_their_own() {
    let mut target = Target::start();
    assert_equal(&mut target, "c 1 24 24 1");
    assert_eq!(target.state().mmapped, Some(Mmapped::new(0, 0)));
    assert_equal(&mut target, "b 50 1000000");
    let mmapped = target.state().mmapped.unwrap();
    assert!(mmapped.count > 20 && mmapped.bytes > 50_000_000, "{mmapped:?}");
    // No block is mapped any more, however large, and no threshold moves.
    target.tell("m -4 0");
    assert_equal(&mut target, "b 5 1000000");
}

/// The break was never used: glibc keeps no beginning of the heap.
#[test]
fn are_equal_where_the_break_was_blocked_from_the_start() {
    let mut target = Target::start();
    target.told("h");
    assert_equal(&mut target, "b 50 1000000");
}

/// A heap at low addresses, and everywhere else: links of fast bins lead to where a chunk can be
/// whether they are read as plain or as mangled.
#[test]
fn are_equal_with_links_that_fit_in_both_readings() {
    let source = "programs/quiet.c";
    let low = compiled(source, "malloc-quiet-low", &["-O1", "-no-pie", "-fno-pie"]);
    let whole = compiled(source, "malloc-quiet-static", &["-O1", "-static"]);
    for program in [quiet(), low, whole] {
        for arguments in [&[][..], &["-R"]] {
            let mut command = Command::new("setarch");
            command.arg(std::env::consts::ARCH).args(arguments);
            let mut target = Target::of(command.arg(&program));
            assert_equal(&mut target, "f 6");
            let free = target.state().arenas[0].free.unwrap();
            assert!(free.chunks >= 12 && free.fast_bytes > 0, "{free:?}");
        }
    }
}

/// Debian's python3 has its heap at low addresses; where exactly differs from start to start.
#[test]
fn are_known_of_every_python() {
    if !installed("python3") {
        return;
    }
    for start in 0..30 {
        let code = "import sys; print('ready', flush=True); sys.stdin.read()";
        let mut target = Target::of(Command::new("python3").args(["-c", code]));
        assert_eq!(target.hear(), "ready");
        let state = target.state();
        assert!(state.free_bytes.is_some(), "start {start}: {state:?}");
        assert!(state.mmapped.is_some(), "start {start}: {state:?}");
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

/// What lies before the first run of free memory isn't looked at, and what the program allocated first
/// and last isn't counted by itself.
#[test]
fn chunks_in_use_that_share_pages_with_free_memory_are_those_that_the_program_knows_of() {
    let mut target = Target::start();
    let told = target.tell("p 40000");
    let (count, bytes) = told.split_once(' ').unwrap();
    let [count, bytes] = [count, bytes].map(|number| number.parse::<u64>().unwrap());
    assert!(count > 20_000, "{told}");
    let runs = target.state().runs();
    let found = runs.pinning.unwrap();
    assert!(found.count.abs_diff(count) <= 8, "{told}: {found:?}");
    assert!(found.bytes.abs_diff(bytes) <= 8 * 5000, "{told}: {found:?}");
    assert!(found.pages.abs_diff(runs.mixed_pages) <= 2, "{runs:?}");
    assert_eq!(found.by_size.map(|class| class.count).iter().sum::<u64>(), found.count);
    assert_eq!(found.by_size.map(|class| class.bytes).iter().sum::<u64>(), found.bytes);
    assert_eq!(found.half_below_bytes(), Some(128));
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
