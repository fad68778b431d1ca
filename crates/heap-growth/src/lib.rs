//! Who made a process's memory grow, and what was refused to it.
//!
//! Each part is a [`Sink`](memory_event::Sink) that listens to a stream of events and keeps a small
//! summary: memory stays constant however long the run. [`Story`] is all of them.
//!
//! [`Growth`] books what grew to a [kind](GrowthKind), to the [file](FileGrowth) that was being read
//! and to a [stack](StackGrowth), and knows where it lay ([`MemoryLayout`]). [`Tally`] counts calls
//! and failures, [`Fallback`] pairs a refused brk with malloc's mmap behind it, and
//! [`RefusedMemory`] keeps what was refused for good.

#![cfg_attr(doctest, doc = include_str!("../README.md"))]
#![forbid(unsafe_code)]

#[cfg(test)]
use suite as _;

mod accounts;
mod after_refusal;
mod break_moves;
mod fallback;
mod growth;
mod refusals;
mod refused_memory;
mod tally;
mod timeline;
mod whole;

pub use break_moves::BreakMoves;
pub use fallback::Fallback;
pub use growth::{
    Blocker, ByKind, FileGrowth, Growth, GrowthKind, LOW_END, LayoutPart, MappedBy, MemoryLayout,
    Openings, OpeningsByOne, ProgramGrowth, StackGrowth,
};
pub use refusals::{BrkFailure, Limited, Refused};
pub use refused_memory::{RefusedBy, RefusedMemory, RefusedProgram, RefusedRequest};
pub use tally::{Counts, Tally};
pub use timeline::Timeline;
pub use whole::Story;
