//! What happened in a watched process: the one language of every source.
//!
//! A source (a launched child, a running process, a log that somebody kept) turns what it sees
//! into [`Event`]s; a story is a [`Sink`] that takes them one by one. Neither knows the other.

#![cfg_attr(doctest, doc = include_str!("../README.md"))]
#![forbid(unsafe_code)]

#[cfg(test)]
use suite as _;

mod call;
mod denied;
mod event;
mod memory;
mod refusal;
mod time_order;

pub use call::{Call, I386_OLD_MMAP, Stack, Syscall};
pub use denied::{ABSURD_BYTES, Denied};
pub use event::{Ending, Event, Resource, Sink, SoftLimit, What};
pub use memory::Memory;
pub use refusal::{Crowd, HugePages, Promises, Refusal};
pub use time_order::TimeOrder;
