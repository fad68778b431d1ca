//! What the tests of the reproducers share.

#![allow(dead_code, reason = "each test binary uses its own part")]

use serde_json::Value;
use std::fmt::Display;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Output};

/// Says why a test did nothing, past the test runner, which hides what a passing test says.
pub fn skipped(why: impl Display) {
    writeln!(std::io::stderr(), "skipped: {why}").expect("standard error is there");
}

/// The machine's bundle; without one the test says so and passes.
pub fn bundle() -> Option<PathBuf> {
    match trusted_ca::default_bundle() {
        Ok(path) => Some(path),
        Err(reason) => {
            skipped(reason);
            None
        }
    }
}

/// Runs a reproducer to its end.
pub fn run(program: &str, arguments: &[&str]) -> Output {
    Command::new(program)
        .args(arguments)
        .output()
        .unwrap_or_else(|error| panic!("{program}: {error}"))
}

/// Runs a reproducer that has to succeed, and reads its JSON.
pub fn json(program: &str, arguments: &[&str]) -> Value {
    let output = run(program, &[arguments, &["--format", "json"]].concat());
    assert!(output.status.success(), "{}", stderr(&output));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// What a program said on standard error.
pub fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// The runs of an arm.
pub fn runs<'a>(results: &'a Value, arm: &str) -> &'a Vec<Value> {
    let arms = results["arms"].as_array().unwrap();
    let arm = arms.iter().find(|found| found["name"] == arm).unwrap();
    arm["runs"].as_array().unwrap()
}

/// A figure of the comparison.
pub fn compared(results: &Value, metric: &str, column: &str) -> f64 {
    let rows = results["comparison"].as_array().unwrap();
    let row = rows.iter().find(|row| row["metric"] == metric);
    let row = row.unwrap_or_else(|| panic!("no metric {metric}"));
    row[column].as_f64().unwrap_or_else(|| panic!("no {column} of {metric}: {row}"))
}

/// The running glibc's version; `None` with another C library.
pub fn glibc_version(results: &Value) -> Option<(u32, u32)> {
    let name = results["environment"]["libc"].as_str()?;
    let (major, minor) = name.strip_prefix("glibc ")?.split_once('.')?;
    let digits: String = minor.chars().take_while(char::is_ascii_digit).collect();
    Some((major.parse().ok()?, digits.parse().ok()?))
}

/// With the hole malloc asks for more memory as often as without: 0.98 times in a real nginx.
pub fn needs_as_often_to_grow(results: &Value) {
    let ratio = compared(results, "brk_to_grow", "ratio");
    assert!((0.9..1.1).contains(&ratio), "{ratio}");
}
