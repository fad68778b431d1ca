//! Real programs, launched and attached to; held against strace where it is installed.

use suite as _;

#[cfg(feature = "attach")]
mod attach;
mod launch;

suite::compiling!();
