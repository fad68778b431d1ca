//! Processes that have made something big, beside one that hasn't: theirs is unknown, the other's is
//! known, and what it costs is bounded.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::common::{compiled, compiled_with, processes, skipped};
use crate::inspect::target::Keeps;
use suite::answering::Answering;

struct Hostile {
    program: Answering,
    /// Where its files are; removed after it has ended.
    _place: tempfile::TempDir,
}

/// Without glibc's malloc, what it has made is all that looks like one.
fn hostile(kind: &str, count: u64) -> Hostile {
    let program = compiled_with("hostile", &["-O1", "-static"]);
    started(Command::new(program), kind, count)
}

fn started(mut command: Command, kind: &str, count: u64) -> Hostile {
    let place = tempfile::tempdir().unwrap();
    fs::set_permissions(place.path(), PermissionsExt::from_mode(0o777)).unwrap();
    command.args([kind, &count.to_string()]).current_dir(place.path());
    let mut program = Answering::start(&mut command);
    assert_eq!(program.hear(), "ready", "{kind} {count}");
    Hostile { program, _place: place }
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
    let report = processes(&["inspect", &program.number()]);
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
    // Without the optimiser, on a busy machine, time may be over first.
    let reasons = ["bytes to be searched", "longer than 20s"];
    assert!(reasons.iter().any(|one| why.contains(one)), "{why}");
    let why = unknown("data", 40);
    assert!(why.contains("bytes of variables to be searched"), "{why}");
    // The path of each is remembered, as far as there is room.
    let program = hostile("names", 2000);
    let why = unknown_of(&program);
    assert!(why.contains("longer than 4 MiB"), "{why}");
}

#[test]
fn a_ring_that_is_no_longer_than_that_is_followed() {
    let program = hostile("ring", 3000);
    let report = processes(&["inspect", &program.number()]);
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
fn a_million_free_chunks_are_counted_where_they_are_asked_for() {
    let program = hostile("chunks", 1_000_000);
    let report = processes(&["inspect", &program.number()]);
    let malloc = &report[0]["malloc"];
    let chunks = malloc["arenas"][0]["free"]["chunks"].as_u64();
    // A thread's cache and the fast bins hold some.
    assert!((999_000..1_001_000).contains(&chunks.unwrap()), "{malloc}");
}

#[test]
fn all_of_them_leave_the_others_their_figures() {
    let mut kept = Vec::new();
    for (kind, count) in [("places", 8), ("ring", 20_000), ("libraries", 4), ("names", 3000)] {
        kept.extend((0..3).map(|_| hostile(kind, count)));
    }
    let honest = [64, 4096].map(Keeps::free);
    let (peak_bytes, text) = peak_of(&["inspect", "--all", "--format", "json"]);
    let report: Value = serde_json::from_slice(&text).unwrap();
    let found = |pid: i32| {
        let mut all = report["processes"].as_array().unwrap().iter();
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

/// Who owns nothing, and one who has no more.
const NOBODY: u32 = 65534;
const ANOTHER: u32 = 65533;

fn run_by(uid: u32, program: &Path) -> Command {
    let mut command = Command::new(program);
    command.uid(uid).gid(uid);
    command
}

#[test]
fn forty_of_one_user_leave_other_users_their_figures() {
    if fs::metadata("/proc/self").unwrap().uid() != 0 {
        return skipped("only root can become another user");
    }
    let place = tempfile::tempdir().unwrap();
    fs::set_permissions(place.path(), PermissionsExt::from_mode(0o755)).unwrap();
    let [hostile, keeps] = ["hostile", "keeps"].map(|name| place.path().join(name));
    let built = compiled_with("hostile", &["-O1", "-static"]);
    suite::place::executable_copy(&built, &hostile, 0o755);
    suite::place::executable_copy(&compiled("keeps"), &keeps, 0o755);
    let before = [0, ANOTHER].map(|uid| Keeps::started(run_by(uid, &keeps), "free", 256, 0));
    let kinds = [
        ("places", 8),
        ("ring", 9_000),
        ("ring", 8_000),
        ("libraries", 4),
        ("names", 3_000),
        ("chunks", 150_000),
        ("data", 40),
        ("names", 1_000),
    ];
    let kept: Vec<Hostile> = (0..5)
        .flat_map(|_| kinds)
        .map(|(kind, count)| started(run_by(NOBODY, &hostile), kind, count))
        .collect();
    let after = [0, ANOTHER].map(|uid| Keeps::started(run_by(uid, &keeps), "hole", 256, 0));
    let (peak_bytes, text) = peak_of(&["inspect", "--all", "--format", "json"]);
    let report: Value = serde_json::from_slice(&text).unwrap();
    let found = |pid: i32| {
        let mut all = report["processes"].as_array().unwrap().iter();
        all.find(|process| process["pid"] == pid)
    };
    for honest in before.iter().chain(&after) {
        let malloc = &found(honest.pid()).expect("it is there")["malloc"];
        let returnable = malloc["returnable_bytes"].as_u64().expect("it is known");
        assert!(honest.returnable_bytes().contains(&returnable), "{malloc}");
    }
    // Of theirs that were looked at each is known, or there is a reason.
    for process in kept.iter().filter_map(|one| found(one.program.pid())) {
        let known = process["malloc"].is_object();
        assert_ne!(known, process["malloc_unknown"].is_string(), "{process}");
    }
    // The fleet unit's MemoryMax.
    assert!(peak_bytes < 256 << 20, "{peak_bytes}");
}
