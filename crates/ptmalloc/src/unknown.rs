//! Why malloc's state isn't known.

use nix::errno::Errno;
use procmem::Process;

use super::memory::Unreadable;
use thiserror::Error;

use super::allocator::Allocator;
use super::limits::Bound;

/// Why malloc's state isn't known.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Unknown {
    /// No allocator's state was found.
    #[error("no malloc was found whose state can be read")]
    NotFound,
    /// The program brings its own allocator and doesn't use glibc's.
    #[error("it uses {0}; only the state of glibc's malloc can be read")]
    Other(Allocator),
    /// glibc's malloc is there and has never been called.
    #[error("it has not used malloc yet")]
    NotUsed,
    /// glibc is there, but what it keeps looks like none of the known forms.
    #[error(
        "{0} keeps its state in a form that isn't known here, or the state is damaged; known are \
         those of glibc 2.27 to 2.44"
    )]
    Form(Allocator),
    /// Its arenas were different, or being worked in, each time they were read.
    #[error(
        "{0} was at work in its arenas each time they were read; ask again, or when the process \
         is less busy"
    )]
    AtWork(Allocator),
    /// More than one glibc is loaded, each with a malloc of its own.
    #[error("{0} copies of glibc are loaded, each with a malloc of its own")]
    Several(usize),
    /// There is more to look at than one process may cost.
    #[error("{0}")]
    Costly(Bound),
    /// A 32-bit process.
    #[error("it is a 32-bit process; only the state of 64-bit ones can be read")]
    ThirtyTwoBit,
    /// This program runs on a machine whose layouts aren't known.
    #[error("malloc's state can be read on x86-64 and aarch64 only")]
    Architecture,
    /// The process can't be read: the sentence says which, why, and what helps.
    #[error("{0}")]
    Process(String),
    /// It began to run another program.
    #[error("it began to run another program (exec) while it was read")]
    Exec,
}

impl Unknown {
    /// Says why memory couldn't be read, with what helps.
    pub(super) fn of_memory(process: &Process, error: Unreadable) -> Self {
        let errno = match error {
            Unreadable::Beyond(bound) => return Self::Costly(bound),
            Unreadable::Denied => Errno::EPERM,
            Unreadable::Gone => Errno::ESRCH,
            Unreadable::NotMapped => Errno::EFAULT,
            Unreadable::Late => Errno::ETIME,
            Unreadable::Kernel(errno) => errno,
        };
        Self::Process(process.explain("mem", errno.into()).to_string())
    }
}
