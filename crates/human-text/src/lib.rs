//! Numbers with their units, and names that somebody else has chosen, as people read them on one
//! line of a terminal.

#![cfg_attr(doctest, doc = include_str!("../README.md"))]
#![forbid(unsafe_code)]

#[cfg(test)]
use suite as _;

mod names;
mod units;

pub use names::{is_printable, printable, shell_words};
pub use units::{Bytes, NotBytes, Seconds, counted, thousands};
