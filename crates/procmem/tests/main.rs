//! Processes of known content, weighed from outside; and lists of mappings, good and bad.

use suite as _;

mod address_space;
mod child;
#[path = "../../heap-meter/tests/common/compiled.rs"]
mod compiled;
mod maps_parser;
mod peak;
#[path = "../../heap-meter/tests/common/skipped.rs"]
mod skipped;
mod snapshot;
mod unavailable;
