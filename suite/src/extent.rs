//! How much a test does here: nothing, for want of a program, say, or more rounds than usual.

use std::fmt::Display;
use std::io::Write;
use std::process::Command;

/// Past the test runner, which hides what a passing test says.
pub fn skipped(why: impl Display) {
    writeln!(std::io::stderr(), "skipped: {why}").expect("standard error is there");
}

/// What is worth knowing also where the test passes.
pub fn remarked(what: impl Display) {
    writeln!(std::io::stderr(), "remark: {what}").expect("standard error is there");
}

/// Whether a program is there; says so if not.
pub fn installed(program: &str) -> bool {
    let found = Command::new("sh").args(["-c", "command -v \"$0\" >/dev/null", program]).status();
    let found = found.is_ok_and(|status| status.success());
    if !found {
        skipped(format_args!("{program} is not installed"));
    }
    found
}

/// How often a test tries what goes wrong by chance only: `usual`, or `long` where `BRKHOLE_LONG=1` stands
/// in the environment, as `.ci/run` has it.
pub fn rounds(usual: u64, long: u64) -> u64 {
    match std::env::var_os("BRKHOLE_LONG") {
        Some(one) if one == "1" => long,
        _ => usual,
    }
}
