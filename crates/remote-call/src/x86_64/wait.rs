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
/// asked that it be let go.
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
        if let Some(stop) = look(tid)? {
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

/// A thread that has ended or is about to is told as [`Stop::Ended`]; that report is left to whoever
/// else waits for it.
fn look(tid: i32) -> io::Result<Option<Stop>> {
    const ENDED: Stop = Stop::Ended(0);
    let peek = libc::WEXITED | libc::WSTOPPED | libc::WNOWAIT | libc::WNOHANG;
    let seen = match tracee::report(tid, peek) {
        Ok(seen) => seen,
        // Another thread executed a program, so that this one is no more.
        Err(error) if error.raw_os_error() == Some(libc::ECHILD) => return Ok(Some(ENDED)),
        Err(error) => return Err(error),
    };
    match seen {
        None => Ok(None),
        Some((libc::CLD_TRAPPED | libc::CLD_STOPPED, _)) => {
            // SIGKILL may have ended the stop meanwhile; then there is nothing to be taken.
            let taken = tracee::report(tid, libc::WSTOPPED | libc::WNOHANG);
            Ok(taken?.map(|(_, status)| Stop::of_waitid(status)))
        }
        Some(_) => Ok(Some(ENDED)),
    }
}
