//! `locations`: its contract, and what it shows.

use crate::common::{bundle, compared, glibc_version, json, needs_as_often_to_grow, runs, skipped};
use heap_growth::Tally;
use memory_event::{Call, Event, Syscall, What};
use memory_trace::{Launch, Stream, Target};
use serde_json::Value;
use std::collections::BTreeMap;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::process::Command;

const LOCATIONS: &str = env!("CARGO_BIN_EXE_locations");

/// What the first fallback always is, and in most glibcs every one: `MMAP_AS_MORECORE_SIZE`.
const MORECORE: u64 = 1 << 20;

#[test]
fn the_json_keeps_its_contract() {
    if bundle().is_none() {
        return;
    }
    let results = json(LOCATIONS, &["--locations", "3", "--repeats", "3"]);
    assert_eq!(results["experiment"], "locations");
    let environment = &results["environment"];
    for name in ["kernel", "libc", "openssl", "luajit", "page_size_bytes", "aslr"] {
        assert!(!environment[name].is_null(), "environment.{name}");
    }
    for name in ["path", "bytes", "certificates"] {
        assert!(!environment["bundle"][name].is_null(), "bundle.{name}");
    }
    assert_eq!(results["parameters"]["locations"], 3);
    assert_eq!(results["parameters"]["repeats"], 3);
    for arm in ["control", "hole", "shared"] {
        let runs = runs(&results, arm);
        assert_eq!(runs.len(), 3, "{arm}");
        for run in runs {
            assert!(run["wall_seconds"].as_f64().unwrap() > 0.0);
            let labels: Vec<&str> = run["checkpoints"]
                .as_array()
                .unwrap()
                .iter()
                .map(|checkpoint| {
                    assert!(checkpoint["rss_bytes"].as_u64().unwrap() > 0);
                    assert!(checkpoint["minor_faults"].is_u64());
                    checkpoint["label"].as_str().unwrap()
                })
                .collect();
            assert_eq!(labels, ["start", "loaded", "freed", "trimmed"]);
            assert!(run["syscalls"]["mmap"]["calls"].as_u64().unwrap() > 0);
        }
    }
    let row = &results["comparison"][0];
    for name in ["metric", "unit", "control", "hole", "ratio", "ratio_ci95"] {
        assert!(!row[name].is_null(), "comparison.{name}: {row}");
    }
    assert!(!results["findings"].as_array().unwrap().is_empty());
}

#[test]
fn only_the_hole_has_refused_brks_and_fallbacks() {
    if bundle().is_none() {
        return;
    }
    let results = json(LOCATIONS, &["--locations", "20", "--repeats", "2"]);
    for run in runs(&results, "control") {
        assert_eq!(run["syscalls"]["brk"]["failed"], 0);
        assert_eq!(run["fallback"]["count"], 0);
    }
    for run in runs(&results, "hole") {
        let refused = run["syscalls"]["brk"]["failed"].as_u64().unwrap();
        let fallbacks = run["fallback"]["count"].as_u64().unwrap();
        assert!(refused > 0);
        assert_eq!(fallbacks, refused, "each refusal is followed by its mmap");
        if let Some(version) = glibc_version(&results) {
            sizes_are_those_of(version, &run["fallback"]["sizes"]);
        }
    }
}

/// A real nginx with 100 locations makes 656 brk calls with the hole and 667 without. How often the
/// break goes *down* in between is another matter, and OpenSSL's: see the book.
#[test]
fn malloc_has_to_grow_as_often_with_the_hole_as_without() {
    if bundle().is_none() {
        return;
    }
    let results = json(LOCATIONS, &["--locations", "50", "--repeats", "1"]);
    needs_as_often_to_grow(&results);
    let control = runs(&results, "control")[0].clone();
    let of_brk = |what: &str| control["break_moves"][what].as_u64().unwrap();
    let calls = control["syscalls"]["brk"]["calls"].as_u64().unwrap();
    let asked = calls - of_brk("to_grow") - of_brk("to_shrink");
    // glibc's first, malloc's first, and what this program asks for itself.
    assert!((1..8).contains(&asked), "{asked} of {calls} calls only ask");
    // A context takes at least its certificates, 830 to 880 KiB of them in steps of 132 KiB.
    assert!(of_brk("to_grow") > 50 * 5, "{control}");
}

/// lua-nginx-module makes its Lua state when the configuration has been read.
#[test]
fn luas_memory_comes_after_the_parses() {
    let Some(bundle) = bundle() else { return };
    if cfg!(feature = "gc64") || !cfg!(target_arch = "x86_64") {
        skipped("where Lua's memory lies tells it from malloc's only with 32-bit GC pointers");
        return;
    }
    let line = ["5", &bundle.to_string_lossy()].map(str::to_owned);
    let target =
        Target::new(LOCATIONS).args(&line).env("BRKHOLE_ARM", "control").stdin(Stream::Null);
    let finished = Launch::start(&target, Vec::new()).unwrap().wait().unwrap();
    assert!(finished.ending.success());
    let calls: Vec<&Call> = finished.sink.iter().filter_map(call).collect();
    let opens = |call: &&Call| {
        let path = call.path.as_deref().unwrap_or_default();
        call.syscall.is_open() && path == bundle.canonicalize().unwrap().as_os_str().as_bytes()
    };
    let last = calls.iter().rposition(opens).expect("the bundle is opened");
    assert_eq!(calls.iter().filter(|call| opens(call)).count(), 5);
    let first = calls.iter().position(|call| is_luas(call)).expect("Lua's memory");
    assert!(last < first, "opened at {last}, Lua at {first}");
}

fn call(event: &Event) -> Option<&Call> {
    match &event.what {
        What::Call(call) => Some(call),
        _ => None,
    }
}

fn is_luas(call: &Call) -> bool {
    call.syscall == Syscall::Mmap && call.args[3] & libc::MAP_32BIT as u64 != 0
}

/// glibc 2.35–2.37 passed two arguments of `sysmalloc_mmap_fallback` in the wrong order
/// (0849eed45d, mended by 6a734e62f1): only its first mapping is rounded up to 1 MiB there.
fn sizes_are_those_of(glibc: (u32, u32), sizes: &Value) {
    let sizes: BTreeMap<u64, u64> = serde_json::from_value(sizes.clone()).unwrap();
    let total: u64 = sizes.values().sum();
    let whole = sizes.get(&MORECORE).copied().unwrap_or_default();
    if ((2, 35)..=(2, 37)).contains(&glibc) {
        assert_eq!(whole, 1, "{sizes:?}");
        // What is asked for, plus M_TOP_PAD of 128 KiB, in whole pages: 132 KiB for a small block.
        let small = sizes.get(&(132 << 10)).copied().unwrap_or_default();
        assert!(small * 10 >= total * 9, "{sizes:?}");
    } else {
        assert_eq!(whole, total, "{sizes:?}");
    }
}

#[test]
fn many_parses_and_not_the_hole_make_it_big() {
    if bundle().is_none() {
        return;
    }
    let results = json(LOCATIONS, &["--locations", "30", "--repeats", "3"]);
    let ratio = compared(&results, "memory_per_location", "ratio");
    assert!((0.9..1.1).contains(&ratio), "{ratio}");
    let each = compared(&results, "memory_per_location", "control");
    let certificates = results["environment"]["bundle"]["certificates"].as_f64().unwrap();
    // 838 KiB for 144 certificates; half and double are wide margins for other bundles.
    let of_certificate = each / certificates;
    assert!((3e3..12e3).contains(&of_certificate), "{of_certificate} bytes a certificate");
}

#[test]
fn parsing_once_cures_it() {
    if bundle().is_none() {
        return;
    }
    let results = json(LOCATIONS, &["--locations", "50", "--repeats", "3"]);
    for metric in ["memory_per_location", "time_per_location"] {
        let rows = results["comparison"].as_array().unwrap();
        let row =
            rows.iter().find(|row| row["metric"] == metric && !row["shared"].is_null()).unwrap();
        // The one parse is a fiftieth; a store and the context itself come to little more.
        let ratio = row["ratio"].as_f64().unwrap();
        assert!(ratio < 0.25, "{metric}: {ratio}");
    }
    let findings = results["findings"].as_array().unwrap();
    assert!(findings.iter().any(|found| found["kind"] == "parsed-once"));
}

/// The child, run by hand, makes the calls that `strace -f -c` counts: the same numbers.
#[test]
fn counts_equal_those_of_strace() {
    let Some(bundle) = bundle() else { return };
    if Command::new("strace").arg("-V").output().is_err() {
        skipped("strace is not installed (apt-get install strace)");
        return;
    }
    for arm in ["control", "hole"] {
        assert_eq!(ours(arm, &bundle), straces(arm, &bundle), "{arm}");
    }
}

const COUNTED: [&str; 5] = ["brk", "madvise", "mmap", "mremap", "munmap"];

fn command_line(bundle: &Path) -> Vec<String> {
    // Without address randomisation, as two processes are compared call by call.
    ["setarch", "-R", LOCATIONS, "5", &bundle.to_string_lossy()].map(str::to_owned).into()
}

fn ours(arm: &str, bundle: &Path) -> BTreeMap<String, u64> {
    let line = command_line(bundle);
    let target = Target::new(&line[0]).args(&line[1..]).env("BRKHOLE_ARM", arm).stdin(Stream::Null);
    let finished = Launch::start(&target, Tally::default()).unwrap().wait().unwrap();
    assert!(finished.ending.success());
    let counted = finished.sink.by_name();
    counted
        .into_iter()
        .filter(|(name, _)| COUNTED.contains(name))
        .map(|(name, counts)| (name.to_owned(), counts.calls))
        .collect()
}

fn straces(arm: &str, bundle: &Path) -> BTreeMap<String, u64> {
    let place = tempfile::tempdir().unwrap();
    let log = place.path().join("strace");
    let status = Command::new("strace")
        .args(["-f", "-c", "-U", "calls,name", "-o"])
        .arg(&log)
        .args(command_line(bundle))
        .env("BRKHOLE_ARM", arm)
        .status()
        .unwrap();
    assert!(status.success());
    let summary = std::fs::read_to_string(&log).unwrap();
    summary
        .lines()
        .filter_map(|line| {
            let mut columns = line.split_whitespace();
            let calls = columns.next()?.parse().ok()?;
            let name = columns.next()?;
            COUNTED.contains(&name).then(|| (name.to_owned(), calls))
        })
        .collect()
}
