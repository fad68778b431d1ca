//! Signals of the tracing thread, and the last one to what it traces.
//!
//! # Safety
//! These calls take numbers, or signal sets that the blocks below have written.
#![allow(unsafe_code)]

use std::mem::MaybeUninit;

/// Ends a process that this thread traces or has forked, and has not yet waited for: so its number
/// still belongs to it.
pub(crate) fn kill_unreaped(pid: i32) {
    // SAFETY: kill takes integers; that the number is still its own, the caller sees to.
    unsafe { libc::kill(pid, libc::SIGKILL) };
}

/// Blocks every signal but SIGCHLD in the calling thread and returns what was blocked before.
///
/// Each stop of a traced thread sends SIGCHLD to its tracer. Where that is not blocked and has its
/// default action, the kernel drops it at once; blocked, it would wake another thread of the host,
/// twice for each watched call.
pub(crate) fn block_signals() -> libc::sigset_t {
    let mut blocked = MaybeUninit::uninit();
    let mut before = crate::target::empty_signal_set();
    // SAFETY: sigfillset writes the whole set.
    unsafe { libc::sigfillset(blocked.as_mut_ptr()) };
    // SAFETY: the set was just written, and SIGCHLD is a signal.
    unsafe { libc::sigdelset(blocked.as_mut_ptr(), libc::SIGCHLD) };
    // SAFETY: `blocked` was just written, `before` is writable; both outlive the call, which can't
    // fail for these arguments.
    unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, blocked.as_ptr(), &mut before) };
    before
}
