//! The story as programs.
//!
//! Each binary is both sides of an experiment: run by a person it is the parent, which runs itself
//! again for every run of every arm, weighs it at its checkpoints and counts its system calls. Run
//! by itself, with [`arm::VARIABLE`] in its environment, it is the child that does the work.
//!
//! | binary | what it does in nginx's place |
//! |---|---|
//! | `locations` | loads the bundle for N locations, as one nginx start does |
//! | `reload` | becomes a daemon, loads the new configuration, then frees the old one, again and again |
//! | `burst` | takes many 16 KiB blocks and frees them, as request pools do |
//! | `oom` | loads contexts in a memory cgroup until the OOM killer comes |
//! | `low-memory` | takes heap in C, then as many Lua objects as there is memory for |
//!
//! A chapter is a module with the two sides beside each other: what is measured, and the work.

#![deny(unsafe_code)]

#[cfg(test)]
use suite as _;

pub mod arm;
pub mod burst;
mod chapter;
mod child;
mod drive;
mod judge;
pub mod locations;
pub mod low_memory;
mod memory_limit;
pub mod oom;
mod output;
mod process;
pub mod reload;

pub use chapter::Chapter;
pub use child::Child;
pub use drive::main;
