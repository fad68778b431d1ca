//! Watches the memory calls of a program that it starts ([`Launch`]), or of processes that run
//! already (`Attach`, feature `attach`).
//!
//! Both give what they see to a [`Sink`](memory_event::Sink), in the order in which it happened,
//! and leave exit status, signals and memory of the target as they were.

#![cfg_attr(doctest, doc = include_str!("../README.md"))]
#![deny(unsafe_code)]

#[cfg(test)]
use suite as _;

#[cfg(feature = "attach")]
mod attach;
mod launch;
mod target;
mod uring;
mod watcher;

#[cfg(feature = "attach")]
pub use attach::options::AttachOptions;
#[cfg(feature = "attach")]
pub use attach::{
    Attach, AttachError, AttachNote, Attached, Caller, HeldTarget, StackCopy, Stopper, Via,
    ViaUsed, WatchingCost, Whom,
};
pub use launch::{
    Killer, Launch, LaunchError, LaunchNote, LaunchOptions, Launched, ObserverCost, Stopped, Watch,
};
pub use target::{Stream, Target};
