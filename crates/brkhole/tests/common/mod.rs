//! What the tests of the command share.

#![allow(dead_code, reason = "each test binary uses a part of it")]

pub mod compile {
    suite::compiling!();
}

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;
pub use suite::{installed, skipped};

/// Locations in the configuration of nginx, each of which has a context of its own; the server has
/// one more.
pub fn locations() -> u64 {
    suite::rounds(40, 60)
}

/// The command, in surroundings that nothing depends on.
pub fn brkhole(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_brkhole"));
    command
        .args(arguments)
        .env("LC_ALL", "C")
        .env_remove("GLIBC_TUNABLES")
        .env_remove("LD_PRELOAD")
        .stdin(Stdio::null());
    command
}

/// Runs the command to its end.
pub fn output(arguments: &[&str]) -> Output {
    brkhole(arguments).output().expect("the command starts")
}

/// Runs the command with `--format json`, which has to succeed, and gives what it reports.
pub fn json(arguments: &[&str]) -> Value {
    let report = tempfile::NamedTempFile::new().unwrap();
    let (command, rest) = arguments.split_first().unwrap();
    let mut all = vec![*command, "--format", "json", "-o"];
    all.push(report.path().to_str().unwrap());
    all.extend(rest);
    let output = output(&all);
    let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{all:?}: {complaint}");
    serde_json::from_slice(&std::fs::read(report.path()).unwrap()).expect("JSON is reported")
}

/// What is reported of each process by a command that reports of several.
pub fn processes(arguments: &[&str]) -> Value {
    json(arguments)["processes"].take()
}

/// Kinds of the findings, in order.
pub fn kinds(report: &Value) -> Vec<&str> {
    let findings = report["findings"].as_array().expect("a list of findings");
    findings.iter().filter_map(|found| found["kind"].as_str()).collect()
}

/// Compiles `tests/programs/NAME.c` and gives the program's path.
pub fn compiled(name: &str) -> PathBuf {
    compiled_with(name, &["-O1"])
}

/// The same with the compiler's arguments.
pub fn compiled_with(name: &str, arguments: &[&str]) -> PathBuf {
    let source = format!("programs/{name}.c");
    compile::compiled(&source, &format!("brkhole-{name}"), arguments)
}

/// Whether Python's parser takes a file for XML; true, and a word why, where Python is missing.
pub fn is_xml(file: &Path) -> bool {
    const PYTHON: &str = "/usr/bin/python3";
    if !installed(PYTHON) {
        return true;
    }
    let script = "import sys, xml.dom.minidom as xml; xml.parse(sys.argv[1])";
    let parsed = Command::new(PYTHON).args(["-c", script]).arg(file).status();
    parsed.expect("it was found").success()
}

/// Private writable memory without the stack, in bytes: what growth is about.
pub fn private_writable_bytes(pid: i32) -> u64 {
    let space = proc_memory::AddressSpace::of(pid).expect("it stands still");
    let mappings = space.mappings().iter();
    mappings
        .filter(|mapping| mapping.permissions.write && !mapping.permissions.shared)
        .filter(|mapping| !mapping.is_stack())
        .map(proc_memory::Mapping::length_bytes)
        .sum()
}
