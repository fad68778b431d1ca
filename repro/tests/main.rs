//! The reproducers: their contracts, and what they show.

use suite as _;

mod common;

mod burst;
mod hostile;
mod locations;
mod low_memory;
mod oom;
mod plain_c;
