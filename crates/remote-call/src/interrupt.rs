//! Asking from elsewhere that a process be let go.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Asks, from another thread or a signal's handler, that whoever waits for a process let it go at
/// once. It is asked once and for all; copies are one.
#[derive(Clone, Debug, Default)]
pub struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    /// Asks. What a hold or a call under way gives then is
    /// [`Error::Interrupted`](crate::Error::Interrupted) or
    /// [`CallError::Interrupted`](crate::CallError::Interrupted).
    pub fn ask(&self) {
        self.0.store(true, Ordering::Release);
    }

    /// Whether it was asked.
    #[must_use]
    pub fn is_asked(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}
