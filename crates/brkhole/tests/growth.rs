//! The kinds of growth add up to what `/proc` shows: held against private writable memory at the
//! program's start and at its end, on programs that these tests didn't write and on one that they
//! did.

use std::sync::{Arc, Mutex};

use crate::common::{compiled, installed, locations, private_writable_bytes};
use heap_growth::{GrowthKind, Story};
use memory_trace::{LaunchOptions, Stream, Target};
use suite::nginx::{BUNDLE, Site};

/// Memory at the start of a program and at its end.
#[derive(Clone, Copy, Debug, Default)]
struct Weights {
    start_bytes: u64,
    end_bytes: u64,
}

/// Watches a program that stays one process, and weighs it while it stands still.
fn watched(words: &[String], with_hole: bool) -> (Story, Weights) {
    let weights = Arc::new(Mutex::new(Weights::default()));
    let (at_start, at_end) = (Arc::clone(&weights), Arc::clone(&weights));
    let options = LaunchOptions::new()
        .at_exec(move |stopped| {
            at_start.lock().unwrap().start_bytes = private_writable_bytes(stopped.tid);
            if with_hole {
                brk_hole::RemoteHole::punch(stopped.tid).expect("a hole at the break");
            }
        })
        .at_exit(move |stopped| {
            at_end.lock().unwrap().end_bytes = private_writable_bytes(stopped.tid);
        });
    let target = Target::new(&words[0])
        .args(&words[1..])
        .env_remove("MALLOC_ARENA_MAX")
        .env_remove("GLIBC_TUNABLES")
        .stdin(Stream::Null)
        .stdout(Stream::Null);
    let finished = options.start(&target, Story::default()).unwrap().wait().unwrap();
    assert!(finished.ending.success(), "{words:?}: {:?}", finished.ending);
    assert_eq!(finished.lost_events, 0);
    let weights = *weights.lock().unwrap();
    (finished.sink, weights)
}

/// Within 1 % of the change that `/proc` shows.
fn adds_up(words: &[String], with_hole: bool) -> Story {
    let (story, weights) = watched(words, with_hole);
    let change = weights.end_bytes as i64 - weights.start_bytes as i64;
    let growth = story.growth.by_kind();
    let off = (growth.total() - change).abs();
    assert!(
        off as f64 <= 0.01 * change as f64,
        "{words:?}: growth {growth:?} is {} in all, /proc shows {change}",
        growth.total()
    );
    story
}

fn words(line: &[&str]) -> Vec<String> {
    line.iter().map(|word| (*word).to_owned()).collect()
}

#[test]
fn nginx_with_the_break_free_and_blocked() {
    let Some(nginx) = Site::with_the_line(locations()) else {
        return;
    };
    for with_hole in [false, true] {
        let story = adds_up(&nginx.words(&["-t"]), with_hole);
        let growth = story.growth.by_kind();
        let (grew_by, other) = match with_hole {
            true => (GrowthKind::Fallback, GrowthKind::Break),
            false => (GrowthKind::Break, GrowthKind::Fallback),
        };
        assert!(growth[grew_by] as f64 > 0.95 * growth.total() as f64, "{growth:?}");
        assert_eq!(growth[other], 0);

        let files = story.growth.by_file();
        assert_eq!(files[0].path, BUNDLE.as_bytes());
        assert_eq!(files[0].opens, locations() + 1);
        let share = files[0].bytes() as f64 / growth.total() as f64;
        assert!((0.95..=1.0).contains(&share), "{share}");
    }
}

#[test]
fn python() {
    // Not through a shell script that chooses one of several.
    const PYTHON: &str = "/usr/bin/python3";
    if !installed(PYTHON) {
        return;
    }
    let script = "import json, decimal, email.message\n\
                  keep = [str(n) * 3 for n in range(200_000)]\n\
                  blocks = [bytearray(300_000) for _ in range(20)]\n\
                  del blocks[::2]";
    let story = adds_up(&words(&[PYTHON, "-c", script]), false);
    assert!(story.growth.peak().total() > 10 << 20);
}

#[test]
fn perl() {
    if !installed("perl") {
        return;
    }
    let script = "my @keep = map { 'x' x ($_ % 500) } 1..100000; undef @keep[0..50000];";
    adds_up(&words(&["perl", "-e", script]), false);
}

#[test]
fn threads_with_arenas_of_their_own() {
    let program = compiled("arenas").display().to_string();
    let growth = adds_up(&[program], false).growth.by_kind();
    // 8 threads keep 4,000 blocks of 1,000 bytes each (malloc gives nothing back from the middle).
    assert!(growth[GrowthKind::Arena] > 8 * 2_000_000, "{growth:?}");
    // Four of the eight blocks of 3 MiB are kept.
    assert!(growth[GrowthKind::LargeBlock] >= 4 * (3 << 20), "{growth:?}");
    assert!(growth[GrowthKind::Break] >= 100_000, "{growth:?}");
}
