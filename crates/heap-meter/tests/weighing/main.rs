//! Processes of known content, weighed from outside.

use suite as _;

mod address_space;
mod child;
#[path = "../common/compiled.rs"]
mod compiled;
mod peak;
#[path = "../common/skipped.rs"]
mod skipped;
mod snapshot;
mod unavailable;
