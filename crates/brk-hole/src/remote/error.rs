//! Why there is no hole in another process.

use std::fmt;
use std::io;
use std::ops::Range;

/// Why [`punch`](super::punch) made no hole.
#[derive(Debug)]
#[non_exhaustive]
pub enum RemoteError {
    /// This isn't x86-64.
    Architecture,
    /// The process runs a 32-bit program.
    Foreign {
        /// The thread.
        tid: i32,
    },
    /// The thread ended meanwhile, or is about to.
    Gone {
        /// The thread.
        tid: i32,
    },
    /// A step failed that succeeds for a thread that stands still and that the caller traces.
    Step {
        /// The thread.
        tid: i32,
        /// What was to be done.
        step: &'static str,
        /// Why it failed.
        source: io::Error,
    },
    /// Nothing that the process may execute holds the instruction `syscall`.
    NoInstruction {
        /// The thread.
        tid: i32,
    },
    /// Something is mapped at the break already: it is blocked without a hole.
    Taken {
        /// The addresses that were wanted.
        range: Range<u64>,
    },
    /// The process's `mmap` failed: out of memory, at a limit, or refused by a filter.
    Refused {
        /// The addresses that were wanted.
        range: Range<u64>,
        /// Why.
        source: io::Error,
    },
    /// The kernel doesn't know `MAP_FIXED_NOREPLACE`.
    Kernel,
    /// The call succeeded, but the process's mappings are not those from before and the page.
    Unverified {
        /// The page.
        wanted: Range<u64>,
        /// A mapping that was not there before.
        found: Option<Range<u64>>,
    },
}

impl RemoteError {
    /// The error for a step that failed.
    #[cfg(target_arch = "x86_64")]
    pub(super) fn of(tid: i32, step: &'static str, source: io::Error) -> Self {
        Self::Step { tid, step, source }
    }
}

impl fmt::Display for RemoteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Architecture => write!(
                f,
                "a hole in another process can be made on x86-64 only, this is {}",
                std::env::consts::ARCH
            ),
            Self::Foreign { tid } => write!(
                f,
                "process {tid} runs a 32-bit program; only 64-bit ones can be given a hole"
            ),
            Self::Gone { tid } => write!(f, "process {tid} ended before it had a hole"),
            Self::Step { tid, step, source } => write!(
                f,
                "cannot {step} of thread {tid} ({source}): it has to stand still and to be traced \
                 by the calling thread"
            ),
            Self::NoInstruction { tid } => write!(
                f,
                "nothing that process {tid} may execute holds the instruction `syscall`, so it \
                 can't be made to map a page: see /proc/{tid}/maps"
            ),
            Self::Taken { range } => write!(
                f,
                "{range:#x?} at the break is mapped already, so the break is blocked without a hole"
            ),
            Self::Refused { range, source } => {
                write!(f, "the process's own mmap of {range:#x?} failed: {source}")
            }
            Self::Kernel => write!(
                f,
                "this kernel does not know MAP_FIXED_NOREPLACE (Linux 4.17 or newer is needed)"
            ),
            Self::Unverified { wanted, found } => write!(
                f,
                "mmap of {wanted:#x?} succeeded, but /proc does not show that page and all else as \
                 before (new there: {found:#x?}); was another thread of the process running?"
            ),
        }
    }
}

impl std::error::Error for RemoteError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Step { source, .. } | Self::Refused { source, .. } => Some(source),
            _ => None,
        }
    }
}
