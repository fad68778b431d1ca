//! Says why a test did nothing, for want of a program, say.

use std::fmt::Display;
use std::io::Write;
use std::process::Command;

/// Past the test runner, which hides what a passing test says.
pub fn skipped(why: impl Display) {
    writeln!(std::io::stderr(), "skipped: {why}").expect("standard error is there");
}

/// Whether a program is there; says so if not.
pub fn installed(program: &str) -> bool {
    let found = Command::new("sh")
        .args(["-c", "command -v \"$0\" >/dev/null", program])
        .status();
    let found = found.is_ok_and(|status| status.success());
    if !found {
        skipped(format_args!("{program} is not installed"));
    }
    found
}
