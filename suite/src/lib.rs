//! What every test program of this repository runs in.
//!
//! A test program that has `use suite as _;` in its root is started twice over before its `main`:
//!
//! ```text
//! the process that was started ── waits for the keeper, ends as it ended
//!   └─ the keeper ── a group of its own; adopts whatever the tests leave behind
//!        └─ the tests ── ordinary surroundings
//! ```
//!
//! - **Surroundings.** Whoever starts tests, from a terminal, by nohup, in the background of a script or
//!   as somebody else, they see the same: signals as the kernel sets them, standard descriptors that are
//!   open and no others, umask 022, the C locale, malloc's own settings, and a directory for temporary
//!   files in which programs can be executed and which everybody may enter ([`place`]).
//! - **Nothing stays behind.** However tests end, also by `kill -9` of the process that was started, the
//!   keeper ends all that is left of what they started, daemons too, and removes their temporary files.
//! - **Every wait has an end.** Tests that aren't done within twenty minutes
//!   (`SUITE_PATIENCE_SECONDS`) are named and ended. Waits of a single test end earlier
//!   ([`waiting`]).
//!
//! A test program that a test runs again, in another role, is told so by the environment and stays as
//! it is started.

pub mod answering;
pub mod cgroup;
pub mod nginx;
pub mod place;
pub mod waiting;

mod keeper;
mod surroundings;

use std::fmt::Display;
use std::io::Write;
use std::process::Command;

pub use place::compiled;

/// Names the keeper to the tests, and to whatever they start.
const KEEPER: &str = "SUITE_KEEPER";

#[used]
#[unsafe(link_section = ".init_array")]
static BEFORE_MAIN: extern "C" fn() = begin;

extern "C" fn begin() {
    // Not by std::env, which allocates: a role may be about malloc before its first use.
    // SAFETY: a C string, and no other thread is there that could change the environment.
    let kept = unsafe { libc::getenv(c"SUITE_KEEPER".as_ptr()) };
    if kept.is_null() {
        surroundings::ordinary();
        keeper::keep();
    }
}

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
