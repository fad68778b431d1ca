//! Signals of the tracing thread, and the last one to what it traces: by number as long as that is
//! still its own, and by pidfd from any thread.
//!
//! A process number may belong to somebody else a moment after the tracer has waited for it; a
//! pidfd never does.

use std::collections::HashMap;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use nix::sys::signal::{SigSet, SigmaskHow, Signal, kill};
use nix::unistd::Pid;

/// Ends a process that this thread traces or has forked, and has not yet waited for: so its number
/// still belongs to it.
pub(crate) fn kill_unreaped(pid: i32) {
    let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
}

/// Blocks every signal but SIGCHLD in the calling thread and returns what was blocked before.
///
/// Each stop of a traced thread sends SIGCHLD to its tracer. Where that is not blocked and has its
/// default action, the kernel drops it at once; blocked, it would wake another thread of the host,
/// twice for each watched call.
pub(crate) fn block_signals() -> SigSet {
    let mut blocked = SigSet::all();
    blocked.remove(Signal::SIGCHLD);
    let before = blocked.thread_swap_mask(SigmaskHow::SIG_SETMASK);
    before.expect("pthread_sigmask(3) fails for no valid set")
}

/// The processes that are alive, by number.
#[derive(Debug, Default)]
pub(super) struct PidfdSet {
    handles: Mutex<HashMap<i32, OwnedFd>>,
    /// Whoever comes from now on is killed at once. Changed only while `handles` is locked.
    given_up: AtomicBool,
}

impl PidfdSet {
    /// Enters a process that the calling thread has not yet waited for.
    ///
    /// # Errors
    /// No handle could be had: the process has ended, or descriptors have run out.
    pub(super) fn enter(&self, pid: i32) -> io::Result<()> {
        let handle = proc_memory::pidfd_open(pid);
        let mut handles = self.lock();
        if self.given_up() {
            kill_unreaped(pid);
        }
        handles.insert(pid, handle?);
        Ok(())
    }

    /// Strikes out a process that has ended.
    pub(super) fn leave(&self, pid: i32) {
        self.lock().remove(&pid);
    }

    /// Kills all, now and to come.
    pub(super) fn kill_all(&self) {
        let handles = self.lock();
        self.given_up.store(true, Ordering::Relaxed);
        handles.values().for_each(proc_memory::pidfd_kill);
    }

    /// Whether the run is to end.
    pub(super) fn given_up(&self) -> bool {
        // Who reads it without the lock and too early is no worse off than a moment before.
        self.given_up.load(Ordering::Relaxed)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<i32, OwnedFd>> {
        // No holder can leave the table half-changed, so that a panic doesn't spoil it.
        self.handles.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
