//! Real programs, launched and attached to; held against strace where it is installed.

use suite as _;

#[cfg(feature = "attach")]
mod attach;
#[path = "../../heap-meter/tests/common/compiled.rs"]
mod compiled;
#[path = "../../heap-meter/tests/common/installed.rs"]
mod installed;
mod launch;
#[path = "../../heap-meter/tests/common/skipped.rs"]
mod skipped;
