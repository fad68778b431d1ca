//! The `launch` source on real programs, held against strace where it is installed.

use suite as _;

mod commands;
#[path = "../common/compiled.rs"]
mod compiled;
mod counts;
mod endings;
mod events;
mod fallback;
mod foreign;
mod harness;
mod hooks;
mod host;
#[path = "../common/installed.rs"]
mod installed;
mod life;
mod permission;
mod role;
mod signals;
#[path = "../common/skipped.rs"]
mod skipped;
mod surrounded;
mod surroundings;
