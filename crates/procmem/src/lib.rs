//! One process as `/proc` has it, from outside.

#![deny(unsafe_code)]

#[cfg(test)]
use suite as _;

pub mod address_space;
#[cfg(feature = "elf")]
pub mod elf;
pub mod limits;
mod page_size;
mod pidfd;
pub mod process;
pub mod processor_time;
pub mod snapshot;

pub use page_size::page_size_bytes;
pub use pidfd::{pidfd_kill, pidfd_open};

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
