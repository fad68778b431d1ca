//! Tells malloc's way out from any other mmap, thread by thread.

use std::collections::HashSet;

use super::growth::kind::MAP_32BIT;
use memory_event::{Call, Event, Syscall, What};
use rustc_hash::FxBuildHasher;

/// Remembers which threads' last memory call was a refused `brk`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct AfterRefusal {
    /// By (pid, tid).
    refused: HashSet<(i32, i32), FxBuildHasher>,
}

/// What a memory call means to somebody who waits for fallbacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Means {
    /// A `brk` was refused.
    Refused,
    /// The mmap that stands in for it, of so many bytes.
    Fallback(u64),
    /// Neither.
    Nothing,
}

impl AfterRefusal {
    /// Takes an event; a call is told what it means.
    pub(super) fn take(&mut self, event: &Event) -> Means {
        match &event.what {
            What::Call(call) if call.syscall.is_memory() => {
                return self.returned((event.pid, event.tid), call);
            }
            What::Exited(_) => {
                self.refused.remove(&(event.pid, event.tid));
            }
            What::Exec { .. } => self.refused.retain(|(pid, _)| *pid != event.pid),
            _ => {}
        }
        Means::Nothing
    }

    /// Whether the last memory call of this event's thread was a refused `brk`.
    pub(super) fn was_refused(&self, event: &Event) -> bool {
        self.refused.contains(&(event.pid, event.tid))
    }

    /// Whether nobody is being waited for.
    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.refused.is_empty()
    }

    fn returned(&mut self, thread: (i32, i32), call: &Call) -> Means {
        let was_refused = !self.refused.is_empty() && self.refused.remove(&thread);
        if call.syscall == Syscall::Brk && call.failed() {
            self.refused.insert(thread);
            Means::Refused
        } else if was_refused && gives_anonymous_memory(call) {
            Means::Fallback(call.args[1])
        } else {
            Means::Nothing
        }
    }
}

/// Whether the call is a successful `mmap` as malloc makes it, wherever the kernel likes.
pub(super) fn gives_anonymous_memory(call: &Call) -> bool {
    let [hint, _, protection, flags, ..] = call.args;
    // What else malloc's flags may hold (MAP_NORESERVE, MAP_HUGETLB …) doesn't matter.
    let private_anonymous = (libc::MAP_PRIVATE | libc::MAP_ANONYMOUS) as u64;
    let decisive = private_anonymous | (libc::MAP_SHARED | libc::MAP_FIXED | MAP_32BIT) as u64;
    call.syscall == Syscall::Mmap
        && call.result.is_ok()
        && hint == 0
        && protection == (libc::PROT_READ | libc::PROT_WRITE) as u64
        && flags & decisive == private_anonymous
}
