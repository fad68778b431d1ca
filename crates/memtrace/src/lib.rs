//! Watches the memory calls of a program that it starts, or of a process that runs already.

#![deny(unsafe_code)]

#[cfg(test)]
use suite as _;

#[cfg(feature = "attach")]
pub mod attach;
pub mod launch;
mod refusal;
pub mod target;

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
