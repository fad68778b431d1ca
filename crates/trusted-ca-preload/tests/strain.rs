//! The library under strain: many threads, files that are replaced all the time, forks at bad
//! moments, and thousands of loads that must leave nothing behind.

mod bundles;
mod forks;
mod helgrind;
mod leaks;
mod threads;
