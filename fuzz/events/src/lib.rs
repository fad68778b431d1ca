//! What the fuzzers and the tests of any input share: events made of any bytes, and what is true of
//! their story; logs as strace would write them, and logs that something happened to.
#![forbid(unsafe_code)]

mod any;
mod damaged;
mod strace_writer;

pub use any::{check_story, events_of};
pub use damaged::{Random, mutated, pieces};
pub use strace_writer::StraceWriter;
