//! The break of running processes, and what is said of it.

use suite as _;

mod blocked;
mod harness;
mod limited;
mod older_kernel;
mod ordinary;
mod same_answer;

suite::compiling!();
