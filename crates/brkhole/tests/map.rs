//! `--map`: where memory lies, drawn and told.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::common::{brkhole, compiled, installed, is_xml, json, output};
use serde_json::Value;

const PYTHON: &str = "/usr/bin/python3";

fn path(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// Start and end of every reported range of a kind, neighbours as one.
fn ranges(address_space: &Value, kind: &str) -> Vec<(String, String)> {
    let all = address_space["ranges"].as_array().unwrap().iter();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    all.filter(|range| range["kind"] == kind)
        .map(|range| (text(&range["start"]), text(&range["end"])))
        .collect()
}

#[test]
fn the_picture_and_the_figures_are_what_the_program_sees() {
    let directory = tempfile::tempdir().unwrap();
    let (svg, report) = (directory.path().join("map.svg"), directory.path().join("json"));
    let words = ["trace", "--map", path(&svg), "--format", "json", "-o", path(&report), "--"];
    let output = brkhole(&words).arg(compiled("low")).output().unwrap();
    assert!(output.status.success(), "{output:?}");

    let report: Value = serde_json::from_slice(&std::fs::read(report).unwrap()).unwrap();
    let space = &report["address_space"];
    let seen = String::from_utf8(output.stdout).unwrap();
    let seen: Vec<_> = seen
        .lines()
        .map(|line| line.split_once(' ').unwrap())
        .map(|(start, end)| (start.to_owned(), end.to_owned()))
        .collect();
    assert_eq!(ranges(space, "low_memory"), seen);
    assert_eq!(space["low_bytes"]["low_memory"], 14 << 20);
    assert_eq!(space["bytes"]["large_block"], 20 << 20);
    assert!(space["program_break"].as_str().unwrap().starts_with("0x"));
    assert_eq!(space["refused_brks"], 0);
    assert_eq!(space["blocker"], Value::Null);

    assert!(is_xml(&svg));
    let picture = std::fs::read_to_string(&svg).unwrap();
    for wanted in [
        "asked for below 2 GiB: 14.0 MiB",
        "large mappings: 20.0 MiB",
        "there before",
        "No brk was refused.",
        "viewBox=\"0 0 640 ",
        "#E69F00",
    ] {
        assert!(picture.contains(wanted), "no {wanted} in {picture}");
    }
}

#[test]
fn a_log_is_drawn_too_and_says_what_it_can_not_know() {
    if !installed("strace") {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let (log, svg) = (directory.path().join("a & b"), directory.path().join("map.svg"));
    let status = Command::new("strace")
        .args(["-f", "-o"])
        .args([&log, &compiled("low")])
        .stdout(Stdio::null())
        .status();
    assert!(status.unwrap().success());
    let report = json(&["explain", "--map", path(&svg), path(&log)]);
    let space = &report["address_space"];
    assert_eq!(space["low_bytes"]["low_memory"], 14 << 20);
    assert_eq!(space["knows_earlier"], false);
    assert!(is_xml(&svg), "though the log has an & in its name");
    let picture = std::fs::read_to_string(&svg).unwrap();
    assert!(picture.contains("before the first call isn't known"), "{picture}");
}

#[test]
fn both_arms_one_above_the_other() {
    if !installed(PYTHON) {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let svg = directory.path().join("map.svg");
    let script = "keep = [bytearray(5000) for _ in range(2000)]";
    let words = ["compare", "--repeats", "1", "--map", path(&svg), "--", PYTHON, "-c", script];
    let report = json(&words);
    assert!(is_xml(&svg));
    let picture = std::fs::read_to_string(&svg).unwrap();
    let (control, hole) = (picture.find(">control: "), picture.find(">hole: "));
    assert!(control.unwrap() < hole.unwrap(), "{picture}");
    let arms = &report["address_space"];
    assert_eq!(arms["control"]["blocker"], Value::Null);
    assert!(arms["control"]["bytes"]["break"].as_u64().unwrap() > 9 << 20);
    assert_eq!(arms["hole"]["blocker"]["start"], arms["hole"]["program_break"]);
    assert_eq!(arms["hole"]["blocker"]["perms"], "r--p");
    assert!(arms["hole"]["bytes"]["fallback"].as_u64().unwrap() > 9 << 20);
    assert!(arms["hole"]["refused_brks"].as_u64().unwrap() > 5);
    assert_eq!(report["experiment"], "compare", "the rest is as it was");
}

#[test]
fn a_hole_that_nobody_ran_into_is_in_the_picture() {
    let directory = tempfile::tempdir().unwrap();
    let (svg, file) = (directory.path().join("map.svg"), directory.path().join("json"));
    let mut trace = brkhole(&["trace", "--hole", "--map", path(&svg), "--format", "json"]);
    trace.args(["-o", path(&file), "--"]);
    // It waits for a byte, and gets none: not even its malloc is called.
    let status = trace.arg(compiled("low")).arg("wait").status().unwrap();
    assert_eq!(status.code(), Some(2), "the program's own");
    let report: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    let space = &report["address_space"];
    assert_eq!(space["refused_brks"], 0);
    assert_eq!(space["blocker"]["start"], space["program_break"]);
    let picture = std::fs::read_to_string(&svg).unwrap();
    assert!(picture.contains("Above the break lies"), "{picture}");
}

#[test]
fn a_place_that_can_not_be_written_is_said_before_anything_is_run() {
    let directory = tempfile::tempdir().unwrap();
    let ran = directory.path().join("ran");
    let touch = format!("touch '{}'", path(&ran));
    for command in ["trace", "compare"] {
        let words = [command, "--map", "/no/such/place.svg", "--", "sh", "-c", &touch];
        let output = output(&words);
        assert_eq!(output.status.code(), Some(1));
        let complaint = String::from_utf8(output.stderr).unwrap();
        assert!(complaint.contains("/no/such/place.svg"), "{complaint}");
    }
    let explained = output(&["explain", "--map", "/no/such/place.svg", "-"]);
    assert_eq!(explained.status.code(), Some(1));
    assert!(!ran.exists());
}

#[test]
fn nothing_to_draw_is_said() {
    let directory = tempfile::tempdir().unwrap();
    let (log, svg) = (directory.path().join("log"), directory.path().join("map.svg"));
    std::fs::write(&log, "close(3) = 0\nexit_group(0) = ?\n+++ exited with 0 +++\n").unwrap();
    let report = json(&["explain", "--map", path(&svg), path(&log)]);
    assert!(report["notes"].to_string().contains("no map was drawn"), "{report}");
    assert!(!svg.exists());
}

#[test]
fn many_ranges_and_calls_take_little_memory() {
    let directory = tempfile::tempdir().unwrap();
    let svg = directory.path().join("map.svg");
    let program = compiled("ranges");
    let report = json(&["trace", "--map", path(&svg), "--", path(&program)]);
    assert!(report["syscalls"]["munmap"]["calls"].as_u64().unwrap() >= 40_000);
    let space = &report["address_space"];
    assert!(space["ranges_in_all"].as_u64().unwrap() >= 15_000, "{}", space["ranges_in_all"]);
    assert!(space["ranges"].as_array().unwrap().len() <= 1000);
    let peak = report["observer"]["peak_rss_bytes"].as_u64().unwrap();
    assert!(peak < 48 << 20, "{peak}");
    let picture = std::fs::metadata(&svg).unwrap().len();
    assert!(picture < 1 << 20, "{picture}");
    assert!(is_xml(&svg));
}
