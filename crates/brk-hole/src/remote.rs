//! A hole in another process, which stands still and is traced by the calling thread.
//!
//! Nothing is preloaded and nothing recompiled: the one `mmap` is made by the process itself, at an
//! instruction `syscall` that it has anyway, with registers that are put back afterwards. So it
//! works for static programs as for dynamic ones. No byte of its memory is written.
//!
//! Whoever traces the process decides when. Before the program's first instruction is best, that is
//! at the stop in which an exec returns: then malloc has not moved the break yet.
//!
//! ```no_run
//! # let tid = 1;
//! // The calling thread traces `tid`, which is stopped behind an exec.
//! let hole = brk_hole::RemoteHole::punch(tid)?;
//! println!("the break {:#x} ends at {:#x}", hole.program_break, hole.range.start);
//! # Ok::<(), brk_hole::RemoteError>(())
//! ```
//!
//! # What the process notices
//!
//! - Signals that arrive meanwhile wait until it is done. SIGSTOP, which can't wait, is held back
//!   and sent anew, so that its sender's name is lost.
//! - Two system calls, `brk` and `mmap`. A tracer's seccomp filter may stop them
//!   (`PTRACE_EVENT_SECCOMP`): those stops are taken here, the caller never sees them. A filter of
//!   the process's own that *kills* at such a call kills it.
//!
//! x86-64 only, and 64-bit programs only: elsewhere it says so. Linux 5.3 or newer.

#[cfg(target_arch = "x86_64")]
mod call;
mod error;
#[cfg(target_arch = "x86_64")]
mod page;

use std::ops::Range;

pub use error::RemoteError;

/// A hole that was made in another process. It stays when this value goes.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RemoteHole {
    /// Where the program break is, to the byte.
    pub program_break: u64,
    /// The page of the hole, from its first address to the one after its last.
    pub range: Range<u64>,
}

impl RemoteHole {
    /// Maps one page at the break of a process: readable, private, as lua-nginx-module's trick did,
    /// but never over anything that is there already.
    ///
    /// `tid` is a thread that stands still at an instruction of its program (in a ptrace stop, not
    /// within a system call) and has the calling *thread* as its tracer, with the option
    /// `PTRACE_O_TRACESYSGOOD`. If the process has other threads, they have to stand still, too.
    /// Afterwards the thread stands where it stood, with the same registers, and can be restarted.
    ///
    /// # Errors
    /// See [`RemoteError`]. With [`RemoteError::Gone`] the thread is no longer there to be restarted;
    /// with any other error it stands where it stood.
    ///
    /// # References
    /// mmap(2), `MAP_FIXED_NOREPLACE` (Linux 4.17); brk(2), “C library/kernel differences”; ptrace(2),
    /// `PTRACE_SETSIGMASK` (3.11), `PTRACE_GET_SYSCALL_INFO` (5.3)
    pub fn punch(tid: i32) -> Result<Self, RemoteError> {
        #[cfg(target_arch = "x86_64")]
        return page::punch(tid);
        #[cfg(not(target_arch = "x86_64"))]
        {
            let _ = tid;
            Err(RemoteError::Architecture)
        }
    }
}
