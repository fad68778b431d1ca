//! Memory that a program asked for below 2 GiB, told by the launcher, by watching from outside,
//! and by a log: one story, and the bytes that `/proc` shows.

use std::io::{BufRead, Read, Write};
use std::process::{Child, Command, Stdio};

use crate::common::{brkhole, compiled, compiled_with, installed, json};
use serde_json::Value;

const MIB: u64 = 1 << 20;

/// What the program comes to by hand: see its source.
const LOW_BYTES: u64 = 14 * MIB;

fn low_bytes(report: &Value) -> u64 {
    let bytes = &report["growth"]["by_kind"]["low_memory"];
    bytes.as_u64().unwrap_or_else(|| panic!("{report}"))
}

/// Sum of the mappings that the program found below 2 GiB.
fn of_maps(lines: &str) -> u64 {
    let address = |text: &str| u64::from_str_radix(text.trim_start_matches("0x"), 16).unwrap();
    let lines = lines.lines();
    lines
        .map(|line| {
            let (start, end) = line.split_once(' ').expect("two addresses");
            address(end) - address(start)
        })
        .sum()
}

#[test]
fn launched() {
    let program = compiled("low");
    let report = tempfile::NamedTempFile::new().unwrap();
    let place = report.path().to_str().unwrap();
    let output =
        brkhole(&["trace", "--format", "json", "-o", place, "--"]).arg(&program).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let report: Value = serde_json::from_slice(&std::fs::read(report.path()).unwrap()).unwrap();
    assert_eq!(low_bytes(&report), LOW_BYTES);
    assert_eq!(of_maps(&String::from_utf8(output.stdout).unwrap()), LOW_BYTES);
    // What it took elsewhere, and nothing of what is low.
    assert_eq!(report["growth"]["by_kind"]["large_block"], 20 * MIB);
    assert!(report.get("address_space").is_none(), "nobody asked for it");
}

#[test]
fn from_a_log() {
    if !installed("strace") {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let log = directory.path().join("log");
    let status = Command::new("strace")
        .args(["-f", "-o"])
        .args([&log, &compiled("low")])
        .stdout(Stdio::null())
        .status()
        .unwrap();
    assert!(status.success());
    let report = json(&["explain", log.to_str().unwrap()]);
    assert_eq!(low_bytes(&report), LOW_BYTES);
    assert_eq!(report["growth"]["by_kind"]["large_block"], 20 * MIB);
}

/// A child that doesn't outlive the test.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn started(command: &mut Command) -> Killed {
    Killed(command.spawn().expect("it starts"))
}

#[test]
fn watched_from_outside() {
    let mut program = Command::new(compiled("low"));
    program.arg("wait").stdin(Stdio::piped());
    let mut program = started(program.stdout(Stdio::piped()));
    let report = tempfile::NamedTempFile::new().unwrap();
    let place = report.path().to_str().unwrap();
    let pid = program.0.id().to_string();
    // By ptrace: one's own child may be watched by anybody in that way, except where Yama forbids.
    let mut watcher = brkhole(&["trace", "--pid", &pid, "--via", "ptrace"]);
    watcher.args(["--format", "json", "-o", place]);
    let mut watcher = started(watcher.stderr(Stdio::piped()));
    let mut said = suite::waiting::lines(watcher.0.stderr.take().unwrap());
    let mut line = String::new();
    said.read_line(&mut line).unwrap();
    if !line.contains("watching process") {
        let mut rest = String::new();
        said.read_to_string(&mut rest).unwrap();
        assert!(line.contains("ptrace"), "{line}{rest}");
        crate::common::skipped(format_args!("watching isn't permitted: {line}"));
        return;
    }
    program.0.stdin.take().unwrap().write_all(b"\n").unwrap();
    let mut lines = String::new();
    let mut output = suite::waiting::lines(program.0.stdout.take().unwrap());
    output.read_to_string(&mut lines).unwrap();
    assert!(suite::waiting::ended(&mut watcher.0).success());
    let report: Value = serde_json::from_slice(&std::fs::read(report.path()).unwrap()).unwrap();
    assert_eq!(report["lost_events"], 0);
    assert_eq!((low_bytes(&report), of_maps(&lines)), (LOW_BYTES, LOW_BYTES));
}

#[test]
fn a_break_that_it_blocks() {
    let program = compiled_with("low_blocker", &["-O0", "-no-pie"]);
    let report = json(&["trace", "--", program.to_str().unwrap()]);
    let findings = report["findings"].as_array().unwrap();
    let blocked = findings.iter().find(|found| found["kind"] == "break-blocked");
    let blocked = blocked.unwrap_or_else(|| panic!("{report}"));
    assert_eq!(blocked["evidence"]["blocker"]["kind"], "low_memory");
    let message = blocked["message"].as_str().unwrap();
    assert!(message.contains("asked for below 2 GiB"), "{message}");
    assert_eq!(low_bytes(&report), 8 * MIB);
    assert!(report["fallback"]["count"].as_u64().unwrap() > 0);
}

#[test]
fn tables_and_csv_have_it() {
    let program = compiled("low");
    let program = program.to_str().unwrap();
    for (format, wanted) in [("table", "low 2 GiB"), ("csv", "kind,low_memory,,,14680064,")] {
        let output = crate::common::output(&["trace", "--format", format, "--", program]);
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(text.contains(wanted), "{text}");
    }
}
