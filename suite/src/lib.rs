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
pub mod place;
pub mod waiting;

mod extent;
mod keeper;
mod surroundings;

pub use extent::{installed, remarked, rounds, skipped};
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
