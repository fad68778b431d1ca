//! malloc's state as it is seen from outside, against what the process itself knows and does.

use suite as _;

#[path = "../common/answering.rs"]
mod answering;
#[path = "../common/compiled.rs"]
mod compiled;
mod figures;
mod forged;
#[path = "../common/installed.rs"]
mod installed;
mod others;
mod prediction;
mod racing;
mod resident;
#[path = "../common/skipped.rs"]
mod skipped;
mod target;
mod unreadable;
