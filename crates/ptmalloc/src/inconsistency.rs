//! What is wrong with something that was taken for an arena.

use thiserror::Error;

use super::memory::Unreadable;

/// What is wrong. In a process that runs it may be right a moment later.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub(super) enum Inconsistency {
    /// A part couldn't be read.
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
    /// Its header.
    #[error("its header is not consistent: {0}")]
    MallocState(&'static str),
    /// Its heaps.
    #[error("its heaps are not consistent: {0}")]
    HeapInfos(&'static str),
    /// A chunk.
    #[error("a free chunk is not consistent: {0}")]
    Chunk(&'static str),
    /// Too much to look at.
    #[error("it has more than {0} free chunks, the most that are looked at")]
    TooMany(usize),
    /// Somebody is at work in it.
    #[error("its lock was held each time it was read")]
    Locked,
    /// It was not read at all: what it would have said is of no use without the others.
    #[error("it was not read, since too many other arenas were at work each time")]
    Others,
    /// It was different when it was read again.
    #[error("it kept changing while it was read")]
    Changed,
}
