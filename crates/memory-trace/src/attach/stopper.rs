//! Ends a watching from elsewhere.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

/// Ends a watching from another thread, for instance one that waits for Ctrl-C. The watched
/// process goes on.
#[derive(Clone, Debug)]
pub struct Stopper {
    shared: Arc<StopperState>,
}

#[derive(Debug)]
struct StopperState {
    asked: AtomicBool,
    /// Readable, by its end, once `wake` is gone.
    bell: OwnedFd,
    wake: OwnedFd,
    /// A child that does nothing; its end is what a wait for tracees notices.
    sentinel: OnceLock<OwnedFd>,
}

impl Stopper {
    pub(super) fn new() -> io::Result<Self> {
        let (bell, wake) = io::pipe()?;
        Ok(Self {
            shared: Arc::new(StopperState {
                asked: AtomicBool::new(false),
                bell: bell.into(),
                wake: wake.into(),
                sentinel: OnceLock::new(),
            }),
        })
    }

    /// See [`Attach::stop`](super::Attach::stop).
    pub fn stop(&self) {
        if self.shared.asked.swap(true, Ordering::SeqCst) {
            return;
        }
        // A byte fits into an empty pipe; and it is written once.
        let _ = nix::unistd::write(&self.shared.wake, b"!");
        if let Some(sentinel) = self.shared.sentinel.get() {
            proc_memory::pidfd_kill(sentinel);
        }
    }

    pub(super) fn asked(&self) -> bool {
        self.shared.asked.load(Ordering::SeqCst)
    }

    /// Readable once it was asked.
    pub(super) fn bell(&self) -> BorrowedFd<'_> {
        self.shared.bell.as_fd()
    }

    /// Has a child be killed as well when asked; at once if that was before.
    pub(super) fn kills(&self, sentinel: OwnedFd) {
        let sentinel = self.shared.sentinel.get_or_init(|| sentinel);
        if self.asked() {
            proc_memory::pidfd_kill(sentinel);
        }
    }

    /// Kills that child.
    pub(super) fn dismiss_sentinel(&self) {
        if let Some(sentinel) = self.shared.sentinel.get() {
            proc_memory::pidfd_kill(sentinel);
        }
    }
}
