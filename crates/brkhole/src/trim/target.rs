//! The process that is to be trimmed, and what may come of one attempt.

use std::time::{Duration, Instant};

use proc_memory::Process;
use ptmalloc::HeapState;
use remote_call::HoldOptions;

use super::inside::StoppedTarget;
use super::library::TrimLibrary;
use super::program::ProgramIdentity;
use super::refusal::Refusal;
use super::scale::{Scale, Still};
use super::statistics::AllocatorStatistics;

/// What the attempts at one program need of it.
pub(super) struct KnownProgram {
    pub(super) program: ProgramIdentity,
    pub(super) library: TrimLibrary,
    pub(super) scale: Scale,
    /// The state of glibc's malloc a moment ago; `None` if it was at work each time.
    pub(super) malloc: Option<HeapState>,
    /// When it was looked at.
    pub(super) when: Instant,
    pub(super) threads: u64,
}

/// What is known of the process before it is stopped.
pub(super) struct TrimTarget<'a> {
    pub(super) process: &'a Process,
    pub(super) known: &'a mut KnownProgram,
    pub(super) learnt_just_now: bool,
    pub(super) max_hold: Duration,
    pub(super) options: &'a HoldOptions,
}

pub(super) enum TrimAttempt {
    /// It has made the call.
    Trimmed(Box<Trimmed>),
    /// It isn't what was looked at any more: in which way.
    Another(&'static str),
    /// It has other arenas than when they were looked at.
    OtherArenas,
    /// A thread may be inside malloc.
    Inside(StoppedTarget),
    /// The locks of so many arenas are held.
    Locked(usize),
    /// Malloc's state isn't known, even though nothing moves.
    Unknown(String),
    /// It can't be held now.
    Restless(String),
    Refused(Refusal),
    /// It was to be let go before the call.
    Interrupted,
    /// It was let go in the middle of the call, which goes on in this thread.
    LeftToItself {
        tid: i32,
        /// Which one.
        called: &'static str,
        was_asked: bool,
    },
    Failed(String),
}

/// A process that has given back what it could.
pub(super) struct Trimmed {
    /// What glibc's had; another allocator's lists aren't followed.
    pub(super) malloc: Option<HeapState>,
    /// What another allocator counts, before and after.
    pub(super) counted: [Option<AllocatorStatistics>; 2],
    pub(super) before: Still,
    pub(super) after: Still,
    pub(super) call: Duration,
    pub(super) threads: usize,
    pub(super) notes: Vec<String>,
}
