//! The `launch` source on real programs, held against strace where it is installed.

mod counts;
mod endings;
mod events;
mod fallback;
mod foreign;
mod harness;
mod host;
mod permission;
mod role;
mod signals;
#[path = "../common/skipped.rs"]
mod skipped;
mod surroundings;
