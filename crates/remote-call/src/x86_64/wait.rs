//! Waits for a traced thread to stop, but not for ever.

use std::io;
use std::time::{Duration, Instant};

use super::ptrace;
use crate::Interrupt;

/// What has become of a thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stop {
    /// It was asked to stop, or SIGCONT let its process go on.
    Interrupted,
    /// The whole process was stopped, by SIGSTOP or the like.
    Group,
    /// It is before or behind a system call.
    Call,
    /// It is about to get this signal.
    Signal(i32),
    /// It has ended or is about to. That report is left to whoever else waits for it.
    Ended,
}

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

fn look(tid: i32) -> io::Result<Option<Stop>> {
    let peek = libc::WEXITED | libc::WSTOPPED | libc::WNOWAIT;
    let seen = match ptrace::report(tid, peek) {
        Ok(seen) => seen,
        // Another thread executed a program, so that this one is no more.
        Err(error) if error.raw_os_error() == Some(libc::ECHILD) => return Ok(Some(Stop::Ended)),
        Err(error) if error.raw_os_error() == Some(libc::EINTR) => None,
        Err(error) => return Err(error),
    };
    match seen {
        None => Ok(None),
        Some((libc::CLD_TRAPPED | libc::CLD_STOPPED, _)) => {
            // SIGKILL may have ended the stop meanwhile; then there is nothing to be taken.
            let taken = ptrace::report(tid, libc::WSTOPPED);
            Ok(taken?.map(|(_, status)| decode(status)))
        }
        Some(_) => Ok(Some(Stop::Ended)),
    }
}

/// `si_status` of a stop: `signal | event << 8`, and bit 7 for a system call.
///
/// # References
///
/// ptrace(2), “Stopped states”
fn decode(status: i32) -> Stop {
    const CALL: i32 = libc::SIGTRAP | 0x80;
    let (signal, event) = (status & 0xff, status >> 8);
    match (signal, event) {
        (CALL, 0) => Stop::Call,
        (signal, 0) => Stop::Signal(signal),
        (libc::SIGTRAP, _) => Stop::Interrupted,
        _ => Stop::Group,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_of_stops() {
        assert_eq!(decode(0x85), Stop::Call);
        assert_eq!(decode(11), Stop::Signal(11));
        assert_eq!(decode(64), Stop::Signal(64), "a real-time signal");
        assert_eq!(decode(128 << 8 | 5), Stop::Interrupted);
        assert_eq!(decode(128 << 8 | 19), Stop::Group);
        assert_eq!(decode(128 << 8 | 20), Stop::Group);
    }
}
