//! Stacks and requests of real programs.
#![cfg(target_arch = "x86_64")]

use suite as _;

mod chains;
#[path = "../../heap-meter/tests/common/compiled.rs"]
mod compiled;
mod elsewhere;
mod frames;
mod harness;
mod launched;
mod requests;
#[path = "../../heap-meter/tests/common/skipped.rs"]
mod skipped;
