//! How the tracer sees that a function has returned, without stopping at each of its system calls.
//!
//! A signal waits, blocked, while the function runs. On the way back the thread comes through a gate:
//! a first frame for `rt_sigreturn` that lets this one signal through and goes on with the second
//! frame, the one that undoes the call. A traced thread stops for any signal, so it stops there.
//! For one that isn't traced any more the signal is one that its program ignores, and nothing
//! happens.
//!
//! # Safety
//! `tgkill` takes three numbers.
//!
//! # References
//! signal(7), tgkill(2); Linux 6.18 `kernel/signal.c` (`sig_ignored`, `get_signal`)
#![allow(unsafe_code)]

use std::io;

use super::thread_state::{RestartKind, ThreadState};
use proc_memory::Status;

use super::status::signals_in_use;

/// Signals that do nothing unless a program wants them.
const QUIET: [i32; 2] = [libc::SIGURG, libc::SIGWINCH];

/// A signal that the program has no use for: it has no handler for it, doesn't block it (as who
/// waits for one does), and none has come. `None` if there is no such signal, and for a system call
/// that goes on with what the kernel remembers of it: the first `rt_sigreturn` would make it forget.
pub(super) fn signal(pid: i32, tid: i32, state: &ThreadState) -> Option<i32> {
    if RestartKind::of(&state.registers) == RestartKind::Remembered {
        return None;
    }
    let status = Status::of_thread(pid, tid).ok()?;
    let used = signals_in_use(&status)? | state.signal_mask;
    QUIET.into_iter().find(|signal| used & bit(*signal) == 0)
}

pub(super) fn raise(pid: i32, tid: i32, signal: i32) -> io::Result<()> {
    // SAFETY: takes no pointers.
    let result = unsafe { libc::syscall(libc::SYS_tgkill, pid, tid, signal) };
    match result {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Its place in a set of signals.
pub(super) fn bit(signal: i32) -> u64 {
    1 << (signal - 1)
}
