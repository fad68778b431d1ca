//! Programs that damage their own heap on purpose, or to mislead: no figure is ever given of it,
//! and looking at it ends.

use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use ptmalloc::{Bound, Examination, HeapState, Unknown};

use super::target::Target;
use crate::compiled;

fn program() -> PathBuf {
    compiled("programs/forge.c", "malloc-forge", &["-O1"])
}

fn examined(kind: &str) -> Examination {
    let mut target = Target::of(Command::new(program()).arg(kind));
    assert_eq!(target.hear(), "ready", "{kind}");
    let begin = Instant::now();
    let found = target.examine_waiting();
    // Not a matter of speed: what is bounded ends, what isn't doesn't.
    assert!(begin.elapsed() < Duration::from_secs(120), "{kind}");
    assert!(target.child.try_wait().unwrap().is_none(), "{kind}");
    found
}

fn has_no_figures(state: &HeapState) -> bool {
    state.free_bytes.is_none()
        && state.returnable_bytes.is_none()
        && state.arenas.iter().any(|arena| arena.free.is_none() && arena.unknown.is_some())
}

#[test]
fn an_honest_one_is_understood() {
    let state = examined("nothing").state.unwrap();
    let free = state.arenas[0].free.unwrap();
    assert_eq!((free.chunks, free.unsorted_bytes), (3, 3 * 5008));
}

#[test]
fn no_figure_of_damaged_chunks() {
    for kind in [
        "self-loop",
        "loop",
        "closed loop",
        "wild",
        "kernel",
        "null",
        "unaligned",
        "code",
        "size zero",
        "size huge",
        "size all bits",
        "size of another",
        "in use",
        "outside",
        "overlap",
        "endless chain",
        "top size",
        "top unaligned",
    ] {
        let state = examined(kind).state;
        let state = state.unwrap_or_else(|why| panic!("{kind}: {why}"));
        assert!(has_no_figures(&state), "{kind}: {state:?}");
    }
}

#[test]
fn no_figure_of_more_chunks_than_are_looked_at() {
    let state = examined("chain").state.unwrap();
    assert!(has_no_figures(&state), "{state:?}");
    let why = state.arenas[0].unknown.as_deref().unwrap();
    assert!(why.contains("more than"), "{why}");
}

#[test]
fn nothing_of_a_damaged_header() {
    for kind in ["top wild", "system bytes", "ring wild", "ring null", "ring beside"] {
        let found = examined(kind);
        let said = found.state.unwrap_err().to_string();
        assert!(said.contains("damaged"), "{kind}: {said}");
        assert!(found.allocator.is_some(), "{kind}");
    }
}

#[test]
fn nothing_of_a_ring_that_is_too_long() {
    let why = examined("ring long").state.unwrap_err();
    assert!(matches!(why, Unknown::Costly(Bound::Arenas(_))), "{why}");
}

#[test]
fn no_figure_of_an_arena_without_heaps() {
    let state = examined("second arena").state.unwrap();
    assert!(has_no_figures(&state), "{state:?}");
    assert_eq!(state.arenas.len(), 2);
    assert!(state.arenas[0].free.is_some(), "{state:?}");
    let why = state.arenas[1].unknown.as_deref().unwrap();
    assert!(why.contains("heaps"), "{why}");
}
