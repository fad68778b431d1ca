//! The trick, the hole in another process, and the Lua state.

use suite as _;

#[cfg(feature = "luajit")]
mod luajit;
#[cfg(target_arch = "x86_64")]
mod remote;
mod trick;

suite::compiling!();
