//! Waits for a traced thread to stop, but not for ever.

use std::io;
use std::time::{Duration, Instant};

use tracee::Stop;

use crate::Interrupt;

/// In how many looks the thread's stop is expected; in between others may run.
const LOOKS: usize = 200;
/// How long is slept between looks after that.
const NAP: Duration = Duration::from_micros(50);

/// Waits for a thread's next stop. `None`: it came to none before `deadline`, or before somebody
/// asked that it be let go. A thread that has ended or is about to is told as [`Stop::Ended`].
///
/// A thread stops within microseconds as a rule, and there is no wait with a limit that would not
/// need signals, which belong to the caller's program. So it is looked again and again.
pub(super) fn next_stop(
    tid: i32,
    deadline: Instant,
    interrupt: &Interrupt,
) -> io::Result<Option<Stop>> {
    let mut looks = 0_usize;
    loop {
        if let Some(stop) = tracee::take_stop(tid, libc::WNOHANG)? {
            return Ok(Some(stop));
        }
        looks += 1;
        if interrupt.is_asked() {
            return Ok(None);
        }
        if looks < LOOKS {
            std::thread::yield_now();
        } else if Instant::now() < deadline {
            std::thread::sleep(NAP);
        } else {
            return Ok(None);
        }
    }
}
