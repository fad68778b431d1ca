//! Processes of known content, weighed from outside.

mod address_space;
mod child;
mod peak;
#[path = "../common/skipped.rs"]
mod skipped;
mod snapshot;
mod unavailable;
