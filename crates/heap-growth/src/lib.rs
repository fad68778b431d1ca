//! What events mean.
//!
//! Each story is a [`Sink`](memory_event::Sink) that listens to a stream of events and keeps a
//! small summary: memory stays constant however long the run. [`Story`] is all of them, and the
//! findings that follow.

#![forbid(unsafe_code)]

#[cfg(test)]
use suite as _;

mod accounts;
mod after_refusal;
pub mod break_moves;
pub mod fallback;
pub mod growth;
pub mod refusals;
pub mod refused_memory;
pub mod tally;
pub mod timeline;
mod whole;

pub use whole::Story;

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
