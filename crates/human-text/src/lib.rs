//! Numbers with their units, and names that somebody else has chosen, as people read them on one
//! line of a terminal.

#![forbid(unsafe_code)]

#[cfg(test)]
use suite as _;

mod printable;
pub mod units;

pub use printable::{is_printable, printable};

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
