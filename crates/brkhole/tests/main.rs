//! The command, as a user types it.

use suite as _;

mod common;

mod attach;
mod choosing;
mod compare;
mod explain;
mod files;
mod fleet;
mod fleet_files;
mod growth;
mod help;
mod inspect;
mod json;
mod kept;
mod low_memory;
mod map;
mod ordinary_user;
mod output;
mod page;
mod refused_memory;
mod trace;
#[cfg(target_arch = "x86_64")]
mod trim;
mod untraced;
