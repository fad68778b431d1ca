//! Stacks and requests of real programs.
#![cfg(target_arch = "x86_64")]

use suite as _;

mod chains;
mod copied;
mod elsewhere;
mod frames;
mod harness;
mod launched;
mod requests;

suite::compiling!();
