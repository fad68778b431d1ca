//! Processor time.

use std::time::Duration;

use nix::time::{ClockId, clock_gettime};

/// Processor time that the calling thread has used.
///
/// # References
/// clock_gettime(2), `CLOCK_THREAD_CPUTIME_ID`
pub fn thread_cpu_time() -> Duration {
    // A thread may always ask for its own.
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).map_or(Duration::ZERO, Duration::from)
}
