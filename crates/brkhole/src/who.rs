//! Who asked: joins the launcher and the unwinder.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use memtrace::LaunchOptions;
use proc_unwind::Stacks;

/// The unwinder of a run. Its hooks are all called on the tracing thread, so nobody ever waits.
#[derive(Clone)]
pub(crate) struct Who {
    stacks: Arc<Mutex<Stacks>>,
}

impl Who {
    pub(crate) fn new() -> Self {
        Self {
            stacks: Arc::new(Mutex::new(Stacks::new())),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Stacks> {
        self.stacks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has the stack unwound at every growth of the run. [`forget`](Self::forget) is to be called
    /// when a process has another program, or ends.
    pub(crate) fn asked_by(&self, options: LaunchOptions) -> LaunchOptions {
        let at_growth = self.clone();
        options.at_growth(move |stopped, _| at_growth.lock().of(stopped.pid, stopped.tid))
    }

    /// Has the mappings forgotten of a process's former program.
    pub(crate) fn forget(&self, pid: i32) {
        self.lock().forget(pid);
    }

    /// What could not be done.
    pub(crate) fn notes(&self) -> Vec<String> {
        self.lock().notes()
    }
}
