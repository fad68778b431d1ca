//! The `launch` source on real programs, held against strace where it is installed.

mod counts;
mod endings;
mod events;
mod fallback;
mod harness;
mod hooks;
mod host;
mod i386;
mod life;
mod permission;
mod role;
mod signals;
mod surrounded;
mod surroundings;
mod uring;
