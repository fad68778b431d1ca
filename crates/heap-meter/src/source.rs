//! Where events come from.
//!
//! Every source yields the same [`Event`](crate::event::Event)s, so that a story doesn't know
//! whether it hears of a live process or of a log.

#[cfg(feature = "attach")]
pub mod attach;
pub mod launch;
mod memory;
mod refusal;
pub mod strace_log;
