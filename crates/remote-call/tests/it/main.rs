//! Live processes, held and called. The program that is called, `program/target.c`, checks itself.
#![cfg(target_arch = "x86_64")]

use suite as _;

mod call;
mod killed;
mod meanwhile;
mod refused;
mod restarted;
mod target;
mod untouched;

suite::compiling!();
