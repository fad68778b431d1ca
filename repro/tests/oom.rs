//! `oom`: real OOM kills, and that nothing is left of them.

mod ends;
mod harness;
mod kills;
mod leftovers;
mod others;
mod refused;
mod resource_limit;
