//! The library under strain: many threads, files that are replaced all the time, forks at bad
//! moments, and thousands of loads that must leave nothing behind.
//!
//! `STRAIN` says by how much the usual number of rounds is multiplied.

use suite as _;

mod common;

/// One file for each kind of strain.
mod strain {
    mod bundles;
    mod forks;
    mod helgrind;
    mod leaks;
    mod threads;
}
