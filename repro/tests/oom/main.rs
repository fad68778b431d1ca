//! `oom`: real OOM kills, and that nothing is left of them.

use suite as _;

#[path = "../common/mod.rs"]
mod common;

mod ends;
mod harness;
mod kills;
mod leftovers;
mod others;
mod refused;
mod resource_limit;
