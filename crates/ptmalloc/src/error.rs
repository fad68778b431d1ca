//! Why memory couldn't be read, what is wrong with an arena, and why malloc's state isn't known.

use std::time::Duration;

use nix::errno::Errno;
use proc_memory::Process;
use thiserror::Error;

use super::allocator::Allocator;

/// What there is too much of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Bound {
    /// It takes too long.
    #[error("to read it takes longer than {0:?}, and it gets no more time here")]
    Time(Duration),
    /// Files.
    #[error("its program and libraries have more than {0} bytes to be searched for an allocator")]
    FileBytes(u64),
    /// Variables, none of which is the main arena as far as they were searched.
    #[error(
        "its C library or program has more than {0} bytes of variables to be searched for malloc's main arena"
    )]
    Data(u64),
    /// Places that look like the main arena.
    #[error("more than {0} places in its C library look like malloc's main arena")]
    Candidates(usize),
    /// Arenas.
    #[error("it has more than {0} arenas, the most that are looked at here")]
    Arenas(usize),
    /// Free chunks.
    #[error("an arena has more than {0} free chunks, the most that are looked at here")]
    Chunks(usize),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub(super) enum Unreadable {
    #[error("memory that malloc uses is not mapped")]
    NotMapped,
    #[error("the process ended while it was read")]
    Gone,
    #[error("no permission to read its memory")]
    Denied,
    #[error("reading it would have taken longer than it may")]
    Late,
    #[error(transparent)]
    Beyond(#[from] Bound),
    #[error("its memory can't be read: {0}")]
    Kernel(Errno),
}

impl Unreadable {
    /// Whether no other read can give more.
    pub(super) fn is_final(self) -> bool {
        matches!(self, Self::Gone | Self::Denied | Self::Beyond(_))
    }
}

impl From<Errno> for Unreadable {
    fn from(errno: Errno) -> Self {
        match errno {
            Errno::EFAULT => Self::NotMapped,
            Errno::ESRCH => Self::Gone,
            Errno::EPERM | Errno::EACCES => Self::Denied,
            errno => Self::Kernel(errno),
        }
    }
}

/// What is wrong. In a process that runs it may be right a moment later.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub(super) enum Inconsistency {
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
    #[error("its header is not consistent: {0}")]
    MallocState(&'static str),
    #[error("its heaps are not consistent: {0}")]
    HeapInfos(&'static str),
    #[error("a free chunk is not consistent: {0}")]
    Chunk(&'static str),
    #[error("it has more than {0} free chunks, the most that are looked at")]
    TooMany(usize),
    #[error("its lock was held each time it was read")]
    Locked,
    /// It was not read at all: what it would have said is of no use without the others.
    #[error("it was not read, since too many other arenas were at work each time")]
    Others,
    #[error("it kept changing while it was read")]
    Changed,
}

impl Inconsistency {
    /// Whether it explains whatever else is wrong: somebody was at work, or no other read can give
    /// more.
    pub(super) fn explains_all(self) -> bool {
        match self {
            Self::Locked | Self::Changed => true,
            Self::Unreadable(error) => error.is_final(),
            _ => false,
        }
    }
}

/// Why malloc's state isn't known.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Unknown {
    /// No allocator's state was found.
    #[error("no malloc was found whose state can be read")]
    NotFound,
    /// The program brings its own allocator and doesn't use glibc's.
    #[error("it uses {0}, not glibc's malloc")]
    Other(Allocator),
    /// glibc's malloc is there and has never been called.
    #[error("glibc's malloc has not been used in it: yet, or since another one is in its place")]
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
