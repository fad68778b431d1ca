//! Weigh and watch the heap of any process.
//!
//! Two questions, two ways to the answer. *How big is it, and what is the kernel's part in that?*
//! is asked of `/proc`: [`snapshot`] weighs a process exactly, [`address_space`] lists its mappings
//! and says how far its break could grow and what would stop it. *What made it so?* is asked of the
//! system calls, and goes one way only:
//!
//! ```text
//! source  →  event  →  story  →  report
//! ```
//!
//! A [`source`] sees what a process asks of the kernel, and tells it in [`event`]s; a [`story`]
//! listens in constant memory (how many calls, how many refused, which mmaps stood in for a refused
//! brk); a [`report`] is for people or for programs. [`experiment`] puts both together: the same
//! work in several arms, weighed at its checkpoints, time from untraced runs, calls from traced
//! ones, medians with intervals, and the observer's own cost beside them.
//!
//! ```
//! use heap_meter::event::Syscall;
//! use heap_meter::snapshot::Snapshot;
//! use heap_meter::source::launch::Launch;
//! use heap_meter::story::{fallback::Fallback, tally::Tally};
//! use heap_meter::target::Target;
//!
//! // How big is this process?
//! let here = Snapshot::of(std::process::id() as i32)?;
//! assert!(here.rss_bytes > 0);
//!
//! // What does `ls` ask of the kernel, and does its break grow?
//! let target = Target::new("ls").arg("/").stdout(heap_meter::target::Stream::Null);
//! let launch = Launch::start(&target, (Tally::default(), Fallback::default()))?;
//! let (tally, fallback) = launch.wait()?.sink;
//! assert!(tally.get(Syscall::Brk).calls > 0);
//! assert_eq!(fallback.count(), 0);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! It knows nothing of what it weighs: no OpenSSL, no Lua, no nginx. Linux only; tracing on x86-64
//! and aarch64.

#![deny(unsafe_code)]

#[cfg(test)]
use suite as _;

pub mod address_space;
pub mod diagnosis;
#[cfg(feature = "stacks")]
pub mod elf;
pub mod environment;
pub mod event;
pub mod experiment;
pub mod finding;
pub mod limits;
pub mod malloc;
mod printable;
pub mod process;
pub mod processor_time;
pub mod report;
pub mod snapshot;
pub mod source;
#[cfg(feature = "stacks")]
pub mod stacks;
pub mod statistics;
pub mod story;
pub mod target;
pub mod trace;
pub mod units;

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
