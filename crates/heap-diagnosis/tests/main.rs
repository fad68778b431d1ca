//! The break of running processes, and what is said of it.

use suite as _;

#[path = "../../heap-meter/tests/common/answering.rs"]
mod answering;
mod blocked;
#[path = "../../heap-meter/tests/common/compiled.rs"]
mod compiled;
mod harness;
#[path = "../../heap-meter/tests/common/installed.rs"]
mod installed;
mod limited;
mod older_kernel;
mod ordinary;
mod same_answer;
#[path = "../../heap-meter/tests/common/skipped.rs"]
mod skipped;
