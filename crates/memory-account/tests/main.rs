//! Accounts of real programs, against what the programs know themselves.

use serde as _;
use suite as _;
use tempfile as _;

mod allocators;
mod forged;
mod owners;
mod python;
mod runtimes;
mod target;

suite::compiling!();
