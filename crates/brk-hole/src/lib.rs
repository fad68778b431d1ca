//! Punch a *hole* at the program break, and see what malloc does then.
//!
//! The *break* is the end of a process's data segment, the `[heap]` of `/proc/self/maps`; `brk(2)`
//! moves it and glibc's `malloc` grows its main arena with it. The kernel refuses to move the break
//! across another mapping. So one page that is mapped just above it, a *hole*, stops it for good,
//! and malloc takes every further piece with `mmap(2)` instead: the *fallback*.
//!
//! lua-nginx-module 0.10.3–0.10.7 mapped such a page on purpose, before `main`, to keep the lowest
//! 2 GiB for LuaJIT. This crate has that trick to the letter ([`limit_data_segment`]), the same thing done
//! safely ([`Hole`]), also in another process ([`RemoteHole`]), the proof that it works
//! ([`BreakGrowth`]), and the LuaJIT set-up that it was made for (`Vm`, behind the feature `luajit`).
//!
//! ```
//! use brk_hole::{BreakGrowth, Hole, page_aligned_break};
//!
//! let hole = Hole::punch()?;
//! assert_eq!(hole.range().start, page_aligned_break());
//! assert_eq!(BreakGrowth::probe(1 << 20)?, BreakGrowth::Refused);
//!
//! drop(hole);
//! assert_eq!(BreakGrowth::probe(1 << 20)?, BreakGrowth::Granted);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! What it refuses to do: a [`Hole`] never replaces a mapping that is there already, and it never
//! moves the break itself. Malloc goes on working with a hole, in every thread; what it loses is
//! the way to give memory back by itself.
//!
//! Linux only. Written for glibc; with musl `sbrk` always fails, so everything here asks the kernel.

#![cfg_attr(doctest, doc = include_str!("../README.md"))]
#![deny(unsafe_code)]

#[cfg(test)]
use suite as _;

#[cfg(not(target_os = "linux"))]
compile_error!("brk-hole is about Linux's brk(2): build it for a Linux target");

mod before_main;
mod hole;
#[cfg(feature = "luajit")]
mod luajit;
mod own_maps;
mod program_break;
mod remote;
mod room;
mod trick;

pub use before_main::{BeforeMain, env_is};
pub use hole::{Hole, HoleError, HoleOptions};
#[cfg(feature = "luajit")]
pub use luajit::{Vm, is_out_of_memory};
pub use program_break::{BreakGrowth, page_aligned_break, program_break};
pub use remote::{RemoteError, RemoteHole};
pub use room::{BreakBlocker, Room};
pub use trick::{TRICK_GUARD, TrickOutcome, limit_data_segment};
