//! The break of running processes, and what is said of it.

use suite as _;

#[path = "../common/answering.rs"]
mod answering;
mod blocked;
#[path = "../common/compiled.rs"]
mod compiled;
mod harness;
#[path = "../common/installed.rs"]
mod installed;
mod limited;
mod older_kernel;
mod ordinary;
mod same_answer;
#[path = "../common/skipped.rs"]
mod skipped;
