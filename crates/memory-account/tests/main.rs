//! Accounts of real programs, against what the programs know themselves.

use nix as _;
use serde as _;
use tempfile as _;

mod owners;
mod python;
mod target;

suite::compiling!();
