//! Processes that have made something big, beside one that hasn't: theirs is unknown, the other's is
//! known, and what it costs is bounded.

use std::fs;
use std::process::Command;

use serde_json::Value;

use crate::common::answering::Answering;
use crate::common::{compiled_with, json};
use crate::target::Keeps;

struct Hostile {
    program: Answering,
    /// Where its files are; removed after it has ended.
    _place: tempfile::TempDir,
}

/// Without glibc's malloc, what it has made is all that looks like one.
fn hostile(kind: &str, count: u64) -> Hostile {
    let place = tempfile::tempdir().unwrap();
    let mut command = Command::new(compiled_with("hostile", &["-O1", "-static"]));
    command
        .args([kind, &count.to_string()])
        .current_dir(place.path());
    let mut program = Answering::start(&mut command);
    assert_eq!(program.hear(), "ready", "{kind} {count}");
    Hostile {
        program,
        _place: place,
    }
}

impl Hostile {
    fn number(&self) -> String {
        self.program.pid().to_string()
    }
}

/// Why its malloc isn't known.
fn unknown(kind: &str, count: u64) -> String {
    unknown_of(&hostile(kind, count))
}

fn unknown_of(program: &Hostile) -> String {
    let report = json(&["inspect", &program.number()]);
    assert_eq!(report[0]["malloc"], Value::Null, "{report}");
    report[0]["malloc_unknown"].as_str().unwrap().to_owned()
}

#[test]
fn the_reason_is_what_there_is_too_much_of() {
    let why = unknown("places", 8);
    assert!(why.contains("look like malloc's main arena"), "{why}");
    let why = unknown("ring", 20_000);
    assert!(why.contains("more than 8192 arenas"), "{why}");
    let why = unknown("libraries", 6);
    assert!(why.contains("bytes to be searched"), "{why}");
    // The path of each is remembered, as far as there is room.
    let program = hostile("names", 2000);
    let why = unknown_of(&program);
    assert!(why.contains("longer than 4 MiB"), "{why}");
}

#[test]
fn a_ring_that_is_no_longer_than_that_is_followed() {
    let program = hostile("ring", 3000);
    let report = json(&["inspect", &program.number()]);
    let arenas = report[0]["malloc"]["arenas"].as_array();
    assert_eq!(arenas.map(Vec::len), Some(3000));
}

/// The command's peak of resident memory in bytes, and what it printed.
fn peak_of(arguments: &[&str]) -> (u64, Vec<u8>) {
    let place = tempfile::tempdir().unwrap();
    let figure = place.path().join("peak");
    let timed = Command::new("python3")
        .args(["-c", PEAK])
        .arg(&figure)
        .arg(env!("CARGO_BIN_EXE_brkhole"))
        .args(arguments)
        .output()
        .unwrap();
    let complaint = String::from_utf8_lossy(&timed.stderr).into_owned();
    assert!(timed.status.success(), "{complaint}");
    let peak_kib: u64 = fs::read_to_string(figure).unwrap().trim().parse().unwrap();
    (peak_kib << 10, timed.stdout)
}

/// Runs a command and writes its `ru_maxrss`.
const PEAK: &str = "
import os, resource, subprocess, sys
status = subprocess.call(sys.argv[2:])
peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
open(sys.argv[1], 'w').write(str(peak))
sys.exit(status)
";

#[test]
fn all_of_them_leave_the_others_their_figures() {
    let mut kept = Vec::new();
    for (kind, count) in [
        ("places", 8),
        ("ring", 20_000),
        ("libraries", 4),
        ("names", 3000),
    ] {
        kept.extend((0..3).map(|_| hostile(kind, count)));
    }
    let honest = [64, 4096].map(Keeps::free);
    let (peak_bytes, text) = peak_of(&["inspect", "--all", "--format", "json"]);
    let report: Value = serde_json::from_slice(&text).unwrap();
    let found = |pid: i32| {
        let mut all = report.as_array().unwrap().iter();
        all.find(|process| process["pid"] == pid)
    };
    for honest in &honest {
        let malloc = &found(honest.pid()).expect("it is there")["malloc"];
        let returnable = malloc["returnable_bytes"].as_u64().expect("it is known");
        assert!(honest.returnable_bytes().contains(&returnable), "{malloc}");
    }
    let unknown = kept.iter().filter_map(|one| found(one.program.pid()));
    let unknown: Vec<&Value> = unknown.map(|process| &process["malloc_unknown"]).collect();
    assert_eq!(unknown.len(), 12, "{unknown:?}");
    assert!(unknown.iter().all(|why| why.is_string()), "{unknown:?}");
    // Below the fleet unit's MemoryMax.
    assert!(peak_bytes < 128 << 20, "{peak_bytes}");
}
