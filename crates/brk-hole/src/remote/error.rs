//! Why there is no hole in another process.

use std::io;
use std::ops::Range;

/// Why [`RemoteHole::punch`](super::RemoteHole::punch) made no hole.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
#[allow(missing_docs, reason = "each sentence names its fields")]
pub enum RemoteError {
    /// This isn't x86-64.
    #[error(
        "a hole in another process can be made on x86-64 only, this is {}",
        std::env::consts::ARCH
    )]
    Architecture,
    /// The process runs a 32-bit program.
    #[error("process {tid} runs a 32-bit program; only 64-bit ones can be given a hole")]
    Foreign { tid: i32 },
    /// The thread ended meanwhile, or is about to.
    #[error("process {tid} ended before it had a hole")]
    Gone { tid: i32 },
    /// A step failed that succeeds for a thread that stands still and that the caller traces.
    #[error(
        "cannot {step} of thread {tid} ({source}): it has to stand still and to be traced by the \
         calling thread"
    )]
    Step { tid: i32, step: &'static str, source: io::Error },
    /// Nothing that the process may execute holds the instruction `syscall`.
    #[error(
        "nothing that process {tid} may execute holds the instruction `syscall`, so it can't be \
         made to map a page: see /proc/{tid}/maps"
    )]
    NoInstruction { tid: i32 },
    /// Something is mapped at the break already: it is blocked without a hole.
    #[error("{range:#x?} at the break is mapped already, so the break is blocked without a hole")]
    Taken { range: Range<u64> },
    /// The process's `mmap` failed: out of memory, at a limit, or refused by a filter.
    #[error("the process's own mmap of {range:#x?} failed: {source}")]
    Refused { range: Range<u64>, source: io::Error },
    /// The kernel doesn't know `MAP_FIXED_NOREPLACE`.
    #[error("this kernel does not know MAP_FIXED_NOREPLACE (Linux 4.17 or newer is needed)")]
    Kernel,
    /// The call succeeded, but the process's mappings are not those from before and the page.
    #[error(
        "mmap of {wanted:#x?} succeeded, but /proc does not show that page and all else as before \
         (new there: {found:#x?}); was another thread of the process running?"
    )]
    Unverified { wanted: Range<u64>, found: Option<Range<u64>> },
}

impl RemoteError {
    /// The error for a step that failed.
    #[cfg(target_arch = "x86_64")]
    pub(super) fn of(tid: i32, step: &'static str, source: io::Error) -> Self {
        Self::Step { tid, step, source }
    }
}
