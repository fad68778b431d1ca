//! Processes of known content, weighed from outside; and lists of mappings, good and bad.

use suite as _;

mod address_space;
mod child;
mod maps_parser;
mod memory;
mod peak;
mod snapshot;
mod unavailable;
mod written;

suite::compiling!();
