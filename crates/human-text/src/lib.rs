//! Numbers with their units, and names that somebody else has chosen, as people read them on one
//! line of a terminal.

#![forbid(unsafe_code)]

#[cfg(test)]
use suite as _;

mod printable;
mod units;

pub use printable::{is_printable, printable};
pub use units::{Bytes, NotBytes, Seconds, thousands};

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
