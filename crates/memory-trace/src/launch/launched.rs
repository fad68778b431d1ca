//! What a run leaves: how it ended, what it cost, and what it did not do.

use std::fmt;
use std::mem::discriminant;

use crate::uring;
use memory_event::Ending;
use serde::Serialize;

/// What [`Launch::wait`](super::Launch::wait) gives back.
#[derive(Debug)]
#[non_exhaustive]
pub struct Launched<S> {
    /// How the launched program ended.
    pub ending: Ending,
    /// The sink, with what it remembers.
    pub sink: S,
    /// What the watching cost.
    pub cost: ObserverCost,
    /// What the run did not do, or did otherwise than without a tracer.
    pub notes: Vec<LaunchNote>,
    /// Calls whose outcome could not be read, because the caller was killed in that very moment.
    /// `strace -c` leaves them out, too.
    pub lost_events: u64,
}

/// The observer's own effort in one run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ObserverCost {
    /// How often a process was stopped and set going again; two for each watched call.
    pub stops: u64,
    /// Processor time of the tracing thread, the sink's part included.
    pub tracer_cpu_seconds: f64,
    /// Time from the program's exec to its end, with the stops and hooks in it.
    pub wall_seconds: f64,
    /// The same to the end of the last process of the tree.
    pub watched_seconds: f64,
    /// The part of `wall_seconds` during which a hook was called, for whichever process of the tree.
    pub hook_seconds: f64,
}

/// A remark on a run. There is at most one of each kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
#[allow(missing_docs, reason = "each sentence names its fields")]
pub enum LaunchNote {
    /// The filter could only be installed with `PR_SET_NO_NEW_PRIVS`: set-uid programs in the
    /// run did not gain rights. (Traced by an ordinary user they would not have anyway.)
    NoNewPrivileges,
    /// Programs for an architecture whose calls can't be read ran (32-bit ones on aarch64).
    ForeignArchitecture { first_pid: i32, programs: u64 },
    /// Processes installed a seccomp filter of their own; calls that it refuses are not counted.
    OwnFilter { first_pid: i32, filters: u64 },
    /// Rings of io_uring were set up: files are opened and closed by these unseen.
    IoUring { first_pid: i32, rings: u64 },
}

impl fmt::Display for LaunchNote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoNewPrivileges => f.write_str(
                "set-uid programs ran without the rights they would have gained \
                 (no_new_privs, which an ordinary user's seccomp filter requires)",
            ),
            Self::ForeignArchitecture { first_pid, programs } => write!(
                f,
                "not followed: 32-bit (or other foreign) programs, {programs} in all, the first \
                 in process {first_pid}; they ran, but their calls are not counted"
            ),
            Self::OwnFilter { first_pid, filters } => write!(
                f,
                "seccomp filters that the program itself installed: {filters}, the first in \
                 process {first_pid}; calls that they refuse are not counted"
            ),
            Self::IoUring { first_pid, rings } => uring::write_untold(f, *rings, *first_pid),
        }
    }
}

/// The notes of a run in the making.
#[derive(Debug, Default)]
pub(super) struct LaunchNotes(Vec<LaunchNote>);

impl LaunchNotes {
    /// Adds a note, or counts it if there is one of its kind.
    pub(super) fn add(&mut self, note: LaunchNote) {
        let mut known = self.0.iter_mut();
        match known.find(|known| discriminant(*known) == discriminant(&note)) {
            None => self.0.push(note),
            Some(LaunchNote::NoNewPrivileges) => {}
            Some(
                LaunchNote::ForeignArchitecture { programs: count, .. }
                | LaunchNote::OwnFilter { filters: count, .. }
                | LaunchNote::IoUring { rings: count, .. },
            ) => *count += 1,
        }
    }

    /// Those that there are, in the order of their kinds.
    pub(super) fn into_list(mut self) -> Vec<LaunchNote> {
        self.0.sort();
        self.0
    }
}
