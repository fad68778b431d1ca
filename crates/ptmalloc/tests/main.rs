//! malloc's state as it is seen from outside, against what the process itself knows and does.

use suite as _;

mod figures;
mod forged;
mod others;
mod prediction;
mod racing;
mod resident;
mod target;
mod unreadable;

suite::compiling!();
