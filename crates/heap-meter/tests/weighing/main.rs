//! Processes of known content, weighed from outside.

mod address_space;
mod child;
mod peak;
mod snapshot;
mod unavailable;
