//! What events mean.
//!
//! Each story is a [`Sink`](crate::event::Sink) that listens to a stream of events and keeps a
//! small summary: memory stays constant however long the run. [`Story`] is all of them, and the
//! findings that follow.

mod accounts;
mod after_refusal;
pub mod break_moves;
pub mod fallback;
mod findings;
pub mod growth;
pub mod refusals;
pub mod refused_memory;
pub mod tally;
pub mod timeline;
mod whole;

pub use whole::Story;
