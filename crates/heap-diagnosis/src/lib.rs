//! What a watched run, or a process that was looked at, says: on what evidence, and what to do.

#![cfg_attr(doctest, doc = include_str!("../README.md"))]
#![forbid(unsafe_code)]

#[cfg(test)]
use suite as _;

mod finding;
mod process_findings;
mod remedies;
mod trace_findings;

pub use finding::{Finding, Severity};
pub use process_findings::{process_findings, why_pinned};
pub use trace_findings::{repeated_reading, trace_findings};
