//! Stacks and requests of real programs.
#![cfg(target_arch = "x86_64")]

use suite as _;

mod chains;
#[path = "../common/compiled.rs"]
mod compiled;
mod elsewhere;
mod frames;
mod harness;
mod launched;
mod requests;
#[path = "../common/skipped.rs"]
mod skipped;
