//! Looks for programs that a test uses.

use std::process::Command;

use super::skipped::skipped;

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
