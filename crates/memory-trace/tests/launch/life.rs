//! Without the filter: only lives are watched, and processes are weighed as they end.

use std::collections::BTreeSet;
use std::sync::mpsc;

use memory_event::{Ending, Event, What};
use memory_trace::Target;
use memory_trace::{LaunchOptions, Launched, Stopped, Watch};
use proc_memory::Snapshot;

use super::harness::{compiled, target};

const HELD_BYTES: u64 = 64 << 20;

fn live(target: &Target) -> (Launched<Vec<Event>>, Vec<(Stopped, Snapshot)>) {
    let (sender, weights) = mpsc::channel();
    let launch = LaunchOptions::new()
        .watch(Watch::Life)
        .at_exit(move |stopped| {
            let snapshot = Snapshot::of(stopped.tid).unwrap();
            sender.send((stopped, snapshot)).unwrap();
        })
        .start(target, Vec::new())
        .unwrap();
    (launch.wait().unwrap(), weights.iter().collect())
}

#[test]
fn a_process_is_weighed_as_it_ends_however_it_ends() {
    let killed = Ending::Signal { signal: 9, core_dumped: false };
    for (how, ending) in [
        ("returns", Ending::Code(5)),
        ("threads", Ending::Code(5)),
        ("outlived", Ending::Code(0)),
        ("killed", killed),
    ] {
        let (finished, weights) = live(&target(compiled("held")).arg(how));
        assert_eq!(finished.ending, ending, "{how}");
        let [(stopped, snapshot)] = weights.as_slice() else {
            panic!("{how}: {weights:?}");
        };
        // Of many threads any may be the last.
        let by_another = stopped.tid != stopped.pid;
        assert!(how == "threads" || by_another == (how == "outlived"), "{how}");
        let expected = HELD_BYTES..HELD_BYTES + (4 << 20);
        for bytes in [snapshot.rss_bytes, snapshot.peak_rss_bytes] {
            assert!(expected.contains(&bytes), "{how}: {snapshot:?}");
        }
        let private = snapshot.private_dirty_bytes;
        assert!((HELD_BYTES..HELD_BYTES + (1 << 20)).contains(&private));
    }
}

#[test]
fn another_program_in_the_same_process_is_weighed_instead() {
    let (finished, weights) = live(&target(compiled("held")).arg("exec"));
    assert_eq!(finished.ending, Ending::Code(0));
    assert_eq!(weights.len(), 1);
    assert!(weights[0].1.peak_rss_bytes < HELD_BYTES / 4);
}

#[test]
fn every_process_of_a_tree_is_weighed_once() {
    for (program, arguments, code, processes) in [
        ("forks", &[][..], 0, 1001),
        ("spawn", &[], 0, 31),
        ("threads", &[], 0, 1),
        ("exec_self", &["thread", "5"], 5, 1),
    ] {
        let (finished, weights) = live(&target(compiled(program)).args(arguments.to_owned()));
        assert_eq!(finished.ending, Ending::Code(code), "{program}");
        let pids: BTreeSet<_> = weights.iter().map(|(stopped, _)| stopped.pid).collect();
        let found = (weights.len(), pids.len());
        assert_eq!(found, (processes, processes), "{program}");
    }
}

#[test]
fn no_call_is_told_and_none_stops() {
    let (finished, _) = live(&target(compiled("reads")).args(["20000", "3000"]));
    assert!(finished.ending.success());
    let told = |event: &Event| !matches!(event.what, What::Call(_) | What::Refused(_));
    assert!(finished.sink.iter().all(told));
    assert!(matches!(finished.sink[0].what, What::Started));
    assert!(finished.cost.stops < 10, "{:?}", finished.cost);
    assert_eq!((finished.notes, finished.lost_events), (vec![], 0));
}

#[test]
fn signals_pass_and_stops_are_kept() {
    for program in ["signals", "stops"] {
        let plain = target(compiled(program));
        let status = plain.to_command().status().unwrap();
        let (finished, _) = live(&plain);
        assert_eq!(finished.ending, Ending::from(status), "{program}");
    }
}
