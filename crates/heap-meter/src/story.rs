//! What events mean.
//!
//! Each story is a [`Sink`](crate::event::Sink) that listens to a stream of events and keeps a
//! small summary: memory stays constant however long the run.

mod after_refusal;
pub mod fallback;
pub mod growth;
pub mod tally;
pub mod timeline;
