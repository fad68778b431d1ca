//! `low-memory`: its contract, and what the trick had bought.

use crate::common::{compared, json, run, runs, skipped, stderr};
use serde_json::Value;
use std::process::{Child, Command, Output, Stdio};

const LOW_MEMORY: &str = env!("CARGO_BIN_EXE_low-memory");

const MIB: f64 = (1 << 20) as f64;

/// The set-up of most tests: tables, with the VM made after C has taken `fill` MiB.
fn tables<'a>(fill: &'a str, most: &'a str) -> [&'a str; 8] {
    ["--fill", fill, "--most", most, "--objects", "tables", "--vm", "after"]
}

fn fails_with(output: &Output, status: i32, expected: &str) {
    let said = stderr(output);
    assert_eq!(output.status.code(), Some(status), "{said}");
    assert!(said.contains(expected), "{said}");
}

/// Whether this is the LuaJIT of that time, on the machine it was made for.
fn pointers_are_short() -> bool {
    cfg!(all(target_arch = "x86_64", not(feature = "gc64")))
}

/// Whether randomisation could be switched off in the children; says so if not.
fn without_randomisation(results: &Value) -> bool {
    let aslr = &results["environment"]["aslr"];
    let off = aslr == "off" || aslr == "off-by-personality";
    if !off {
        skipped(format_args!("address randomisation can't be switched off: {aslr}"));
    }
    off
}

#[test]
fn with_a_gib_of_heap_in_c_lua_gets_half_as_much_again_with_the_hole() {
    if !pointers_are_short() {
        return;
    }
    // It is ended at 1.6 GiB: more isn't needed to know, and other tests want memory too.
    let arguments = tables("1024", "1600MiB");
    let results = json(LOW_MEMORY, &arguments);
    if !without_randomisation(&results) {
        return;
    }
    let metric = "tables_vm_after_fill_1024";
    let ratio = compared(&results, metric, "ratio");
    assert!(ratio >= 1.5, "{ratio}");
    // Without the hole C's heap and Lua's objects share the 2 GiB.
    let control = compared(&results, metric, "control") / MIB;
    assert!((850.0..=1024.0).contains(&control), "{control} MiB");
    assert_eq!(runs(&results, "control")[0]["ended"], "not enough memory");
    assert_eq!(runs(&results, "hole")[0]["ended"], "reached");
    counted_twice(&runs(&results, "control")[0]);
    counted_twice(&runs(&results, "hole")[0]);
    let findings = results["findings"].as_array().unwrap();
    let kinds: Vec<_> = findings.iter().map(|found| &found["kind"]).collect();
    assert_eq!(kinds, ["low-memory-bought", "stopped-early"]);
}

/// Lua's own count is what its objects come to, and the kernel has given the process that much.
fn counted_twice(run: &Value) {
    let number = |name: &str| run[name].as_f64().unwrap_or_else(|| panic!("{name}: {run}"));
    let by_hand = number("objects_held") * number("object_bytes");
    let by_lua = number("lua_bytes");
    assert!((by_hand / by_lua - 1.0).abs() < 0.01, "{by_hand}, {by_lua}");
    let checkpoints = run["checkpoints"].as_array().unwrap();
    let rss = |index: usize| checkpoints[index]["rss_bytes"].as_f64().unwrap();
    let (start, filled, full) = (rss(0), rss(1), rss(2));
    let c = (filled - start) / number("fill_bytes");
    assert!((0.98..1.05).contains(&c), "{c}");
    let lua = (full - filled) / by_lua;
    assert!((0.95..1.1).contains(&lua), "{lua}");
}

#[test]
fn the_json_keeps_its_contract() {
    let arguments = ["--fill", "0,16", "--most", "32MiB", "--repeats", "2"];
    let results = json(LOW_MEMORY, &arguments);
    assert_eq!(results["experiment"], "low-memory");
    for name in ["kernel", "libc", "luajit", "page_size_bytes", "aslr"] {
        assert!(!results["environment"][name].is_null(), "environment.{name}");
    }
    assert_eq!(results["parameters"]["most_bytes"], 32 << 20);
    for arm in ["control", "hole"] {
        let runs = runs(&results, arm);
        assert_eq!(runs.len(), 2 * 2 * 2 * 2, "{arm}");
        for run in runs {
            assert_eq!(run["ended"], "reached");
            let lua = run["lua_bytes"].as_u64().unwrap();
            assert!((32 << 20..34 << 20).contains(&lua), "{lua}");
            assert_eq!(run["aslr"], results["environment"]["aslr"]);
            let checkpoints = run["checkpoints"].as_array().unwrap();
            let labels: Vec<_> =
                checkpoints.iter().map(|at| at["label"].as_str().unwrap()).collect();
            assert_eq!(labels, ["start", "filled", "full"]);
        }
    }
    let rows = results["comparison"].as_array().unwrap();
    let metrics: Vec<_> = rows.iter().map(|row| row["metric"].as_str().unwrap()).collect();
    let mut expected = Vec::new();
    for objects in ["tables", "strings"] {
        for vm in ["after", "before"] {
            for mib in [0, 16] {
                expected.push(format!("{objects}_vm_{vm}_fill_{mib}"));
            }
        }
    }
    assert_eq!(metrics, expected);
    for row in rows {
        for name in ["unit", "control", "hole", "ratio", "control_range", "hole_range"] {
            assert!(!row[name].is_null(), "{name}: {row}");
        }
    }
    assert_eq!(results["findings"][0]["kind"], "no-limit-met");
}

/// The control's break is free and the hole's is not, which shows where C's heap went.
#[test]
fn only_the_hole_keeps_c_off_the_break() {
    let arguments = tables("64", "1MiB");
    let results = json(LOW_MEMORY, &arguments);
    if !without_randomisation(&results) {
        return;
    }
    let segment = |arm| {
        let filled = &runs(&results, arm)[0]["checkpoints"][1];
        filled["heap_segment_bytes"].as_f64().unwrap() / MIB
    };
    assert!(segment("control") >= 64.0);
    assert!(segment("hole") < 2.0);
    let hole = runs(&results, "hole")[0]["facts"]["hole"].as_str().unwrap();
    assert!(hole.starts_with("hole made at 0x"), "{hole}");
}

/// Beyond 2 GiB, so that a LuaJIT with short pointers couldn't have got there.
#[test]
fn with_long_pointers_there_is_no_limit_to_be_met() {
    if pointers_are_short() {
        return;
    }
    let arguments = tables("64", "2304MiB");
    let results = json(LOW_MEMORY, &arguments);
    for arm in ["control", "hole"] {
        let run = &runs(&results, arm)[0];
        assert_eq!(run["ended"], "reached", "{arm}");
        assert!(run["lua_bytes"].as_u64().unwrap() >= 2304 << 20);
    }
    let luajit = results["environment"]["luajit"].as_str().unwrap();
    assert!(luajit.contains("64-bit GC pointers"), "{luajit}");
    let message = results["findings"][0]["message"].as_str().unwrap();
    assert!(message.contains("lost its purpose"), "{message}");
}

#[test]
fn randomisation_is_off_unless_it_is_wanted() {
    let arguments = tables("0", "1MiB");
    let off = json(LOW_MEMORY, &arguments);
    if !without_randomisation(&off) {
        return;
    }
    let on = json(LOW_MEMORY, &[&arguments[..], &["--aslr"]].concat());
    let note = |results: &Value| results["notes"][0].as_str().unwrap().to_owned();
    assert!(note(&off).contains("was off"), "{}", note(&off));
    assert!(note(&on).contains("left on"), "{}", note(&on));
    for run in runs(&on, "control") {
        // As this test's own children find it, whatever the machine has set.
        assert_eq!(run["aslr"], on["environment"]["aslr"]);
    }
    let wanted = heap_meter::environment::Environment::here().aslr;
    assert_eq!(on["environment"]["aslr"], serde_json::to_value(wanted).unwrap());
}

/// As in a container whose filter lets personality(2) ask, and not set.
#[test]
fn a_refusal_to_switch_randomisation_off_is_said_and_the_runs_are_marked() {
    let place = tempfile::tempdir().unwrap();
    let source = place.path().join("refuse.c");
    let library = place.path().join("refuse.so");
    std::fs::write(
        &source,
        "#include <errno.h>\n#include <sys/syscall.h>\n#include <unistd.h>\n\
         int personality(unsigned long wanted) {\n\
         if (wanted == 0xffffffff) return syscall(SYS_personality, wanted);\n\
         errno = EPERM; return -1; }\n",
    )
    .unwrap();
    let compiled = Command::new("cc")
        .args(["-shared", "-fPIC", "-o"])
        .args([&library, &source])
        .status()
        .unwrap();
    assert!(compiled.success());
    let output = Command::new(LOW_MEMORY)
        .args(["--fill", "0", "--most", "1MiB", "--format", "json"])
        .env("LD_PRELOAD", &library)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    let results: Value = serde_json::from_slice(&output.stdout).unwrap();
    let note = results["notes"][0].as_str().unwrap();
    assert!(note.contains("the kernel refused"), "{note}");
    assert!(note.contains("Operation not permitted"), "{note}");
    let here = heap_meter::environment::Environment::here().aslr;
    let here = serde_json::to_value(here).unwrap();
    for run in runs(&results, "control") {
        assert_eq!(run["aslr"], here);
    }
}

/// What a person would type to look at one child alone.
#[test]
fn a_child_works_alone() {
    let output = Command::new(LOW_MEMORY)
        .args(["strings", "before", "1048576", "2097152"])
        .env("BRKHOLE_ARM", "control")
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(said.starts_with("strings, VM before 1 MiB of C heap: "), "{said}");
    assert!(said.ends_with("bytes of Lua objects: reached\n"), "{said}");
}

#[test]
fn more_than_the_machine_has_is_refused_before_anything_runs() {
    let output = run(LOW_MEMORY, &["--fill", "1048576", "--most", "1MiB"]);
    fails_with(&output, 1, "take less with --most or --fill");
    assert!(output.stdout.is_empty());
}

#[test]
fn bad_usage_is_named() {
    fails_with(&run(LOW_MEMORY, &["--most", "6GB"]), 2, "--most");
    fails_with(&run(LOW_MEMORY, &["--fill", "much"]), 2, "--fill");
    fails_with(&run(LOW_MEMORY, &["--objects", "lists"]), 2, "tables");
    fails_with(&run(LOW_MEMORY, &["--vm", "never"]), 2, "after");
    fails_with(&run(LOW_MEMORY, &["--repeats", "0"]), 2, "--repeats");
}

#[test]
fn out_keeps_the_raw_results_and_the_chart_and_csv_has_a_row_per_checkpoint() {
    let place = tempfile::tempdir().unwrap();
    let directory = place.path().join("new");
    let output = Command::new(LOW_MEMORY)
        .args(["--fill", "0,16", "--most", "4MiB", "--format", "csv", "--out"])
        .arg(&directory)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    let csv = String::from_utf8(output.stdout).unwrap();
    let columns = csv.lines().next().unwrap().split(',').count();
    assert!(csv.lines().all(|line| line.split(',').count() == columns), "{csv}");
    assert_eq!(csv.lines().count(), 1 + 2 * 2 * 2 * 2 * 3);
    let text = std::fs::read(directory.join("low-memory.json")).unwrap();
    let results: Value = serde_json::from_slice(&text).unwrap();
    assert_eq!(runs(&results, "hole").len(), 2 * 2 * 2);
    let chart = std::fs::read_to_string(directory.join("low-memory.svg")).unwrap();
    assert!(chart.contains("viewBox"), "the chart doesn't scale");
    // A dot for each run; four panels.
    assert_eq!(chart.matches("<circle").count(), 2 * 8);
    assert_eq!(std::fs::read_dir(&directory).unwrap().count(), 2);
}

#[test]
fn ctrl_c_ends_the_child_and_keeps_what_was_finished() {
    let place = tempfile::tempdir().unwrap();
    // Runs of no length, so that there is always a next one to be interrupted.
    let mut parent = KilledOnDrop(
        Command::new(LOW_MEMORY)
            .args(["--fill", "0", "--most", "64MiB", "--repeats", "100000", "--out"])
            .arg(place.path())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap(),
    );
    let kept = place.path().join("low-memory.json");
    suite::waiting::eventually("a run has ended", || kept.exists());
    let pid = parent.0.id().cast_signed();
    // SAFETY: sends a signal to a child of this test that has not been waited for.
    assert_eq!(unsafe { libc::kill(pid, libc::SIGINT) }, 0);
    let mut said = String::new();
    let mut pipe = parent.0.stderr.take().unwrap();
    // Its end is seen when nobody holds the pipe any more, so not before the child is gone.
    std::io::Read::read_to_string(&mut pipe, &mut said).unwrap();
    assert_eq!(parent.0.wait().unwrap().code(), Some(130), "{said}");
    assert!(said.contains("interrupted after "), "{said}");
    assert!(said.contains("--out"), "{said}");
    let results: Value = serde_json::from_slice(&std::fs::read(&kept).unwrap()).unwrap();
    let finished = runs(&results, "control").len() + runs(&results, "hole").len();
    assert!(finished > 0);
}

struct KilledOnDrop(Child);

impl Drop for KilledOnDrop {
    fn drop(&mut self) {
        // Both fail when it has been waited for already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
