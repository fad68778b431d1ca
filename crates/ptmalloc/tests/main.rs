//! malloc's state as it is seen from outside, against what the process itself knows and does.

use suite as _;

#[path = "../../heap-meter/tests/common/answering.rs"]
mod answering;
#[path = "../../heap-meter/tests/common/compiled.rs"]
mod compiled;
mod figures;
mod forged;
#[path = "../../heap-meter/tests/common/installed.rs"]
mod installed;
mod others;
mod prediction;
mod racing;
mod resident;
#[path = "../../heap-meter/tests/common/skipped.rs"]
mod skipped;
mod target;
mod unreadable;
