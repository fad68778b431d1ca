//! What a watching did not do, said instead of passed over.

use std::fmt;
use std::mem::discriminant;

use human_text::counted;

use crate::uring;

/// A remark on a watching. There is at most one of each kind.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
#[allow(missing_docs, reason = "each sentence names its fields")]
pub enum AttachNote {
    /// ptrace was used, which stops the process at every call.
    Slow {
        /// Why tracepoints were not used; `None` if ptrace was asked for.
        instead_of_tracepoints: Option<String>,
    },
    /// Tracepoints were used, which slow every system call of the machine.
    Tracepoints {
        /// Why BPF programs were not used.
        instead_of_bpf: String,
    },
    /// BPF programs were used where every system call comes by, which slows all of the machine.
    AtSysExit {
        /// Why not at the functions of the calls that are watched.
        instead_of_functions: String,
    },
    /// At the end the BPF programs were no longer called: calls from before the end may be missing.
    FellSilent { why: String },
    /// Processes were not followed, as too many were already; their own children not included.
    Unfollowed { processes: u64 },
    /// Calls may have made memory grow, and their stacks found no room.
    DroppedStacks { calls: u64 },
    /// Calls of 32-bit code may have made memory grow; their stacks are not read.
    I386Stacks { calls: u64 },
    /// Threads were made so fast that the process had to be stopped for a moment at the beginning.
    HeldForAMoment,
    /// Who comes to the cgroup isn't watched, unless it is a child of those who were there.
    WithoutComers { why: String },
    /// Files were opened whose path was gone before it could be read.
    UnknownPaths { opens: u64 },
    /// Processes ended, and how is not known.
    UnknownEndings { processes: u64 },
    /// What memory a program had when it began could not be read before it changed.
    UnknownMemory { programs: u64 },
    /// A set-uid program was executed, for which the kernel ends the use of tracepoints.
    SetUidProgram { first_pid: i32, processes: u64 },
    /// Programs ran that this user may not trace: set-uid ones. Their calls are not told.
    NotPermitted { first_pid: i32, programs: u64 },
    /// Programs for another architecture (32-bit) ran, whose calls this way doesn't see; they are not
    /// counted.
    ForeignArchitecture { first_pid: i32, programs: u64 },
    /// Rings of io_uring are there: files are opened and closed by these unseen.
    IoUring { first_pid: i32, rings: u64 },
    /// Threads could not be let go one by one (they wait for a child made by vfork); the kernel
    /// let them go when the tracer's thread ended.
    LetGoByKernel { threads: u64 },
}

impl fmt::Display for AttachNote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Slow { instead_of_tracepoints } => {
                f.write_str(
                    "watched with ptrace: every system call stopped the process twice, which made \
                     call-heavy work many times slower",
                )?;
                match instead_of_tracepoints {
                    Some(reason) => write!(f, "; tracepoints were not used: {reason}"),
                    None => Ok(()),
                }
            }
            Self::Tracepoints { instead_of_bpf } => write!(
                f,
                "watched by tracepoints, which slow every system call of the machine; \
                 {instead_of_bpf}"
            ),
            Self::AtSysExit { instead_of_functions } => write!(
                f,
                "watched at the tracepoint sys_exit, which slows every system call of the machine; \
                 at the calls' own functions it can't be done: {instead_of_functions}"
            ),
            Self::FellSilent { why } => write!(
                f,
                "at the end the BPF programs were no longer called, so all counts are lower \
                 bounds: {why}"
            ),
            Self::Unfollowed { processes } => {
                let were = counted(*processes, "process was", "processes were");
                write!(f, "{were} not followed, as too many were already")
            }
            Self::DroppedStacks { calls } => write!(
                f,
                "who made {}, by which memory may have grown, is unknown: stacks came faster than \
                 they could be read",
                counted(*calls, "call", "calls")
            ),
            Self::I386Stacks { calls } => write!(
                f,
                "who made {}, by which memory may have grown, is unknown: 32-bit code did, whose \
                 stacks are not read",
                counted(*calls, "call", "calls")
            ),
            Self::WithoutComers { why } => write!(
                f,
                "who comes to the cgroup later isn't watched, but for children of those who were there: {why}"
            ),
            Self::HeldForAMoment => f.write_str(
                "it made threads so fast that it was stopped for a moment at the beginning",
            ),
            Self::UnknownPaths { opens } => write!(
                f,
                "{} unknown path: before it could be read, the file was closed, or the process had \
                 ended",
                counted(*opens, "opened file has an", "opened files have an")
            ),
            Self::UnknownEndings { processes } => {
                write!(f, "how {} ended is unknown", counted(*processes, "process", "processes"))
            }
            Self::UnknownMemory { programs } => write!(
                f,
                "the memory of {} changed before it was first read; what was there at the beginning \
                 is unknown",
                counted(*programs, "program", "programs")
            ),
            Self::SetUidProgram { first_pid, processes } => write!(
                f,
                "set-uid programs were executed by {}, first by {first_pid}; for these the kernel \
                 ends the use of tracepoints, and their calls are not counted",
                counted(*processes, "process", "processes")
            ),
            Self::NotPermitted { first_pid, programs } => write!(
                f,
                "not told: calls of programs that this user may not trace (set-uid), {programs} in \
                 all, the first in process {first_pid}; run as root or with CAP_SYS_PTRACE"
            ),
            Self::ForeignArchitecture { first_pid, programs } => write!(
                f,
                "not followed: 32-bit (or other foreign) programs, {programs} in all, the first \
                 in process {first_pid}; their calls are not counted"
            ),
            Self::IoUring { first_pid, rings } => uring::write_untold(f, *rings, *first_pid),
            Self::LetGoByKernel { threads } => write!(
                f,
                "let go by the kernel, as they wait for a vfork child: {}",
                counted(*threads, "thread", "threads")
            ),
        }
    }
}

/// The notes of a watching in the making.
#[derive(Debug, Default)]
pub(super) struct AttachNotes(Vec<AttachNote>);

impl AttachNotes {
    /// Adds a note, or counts it if there is one of its kind.
    pub(super) fn add(&mut self, note: AttachNote) {
        let mut known = self.0.iter_mut();
        match known.find(|known| discriminant(*known) == discriminant(&note)) {
            None => self.0.push(note),
            Some(
                AttachNote::Slow { .. }
                | AttachNote::Tracepoints { .. }
                | AttachNote::AtSysExit { .. }
                | AttachNote::FellSilent { .. }
                | AttachNote::WithoutComers { .. }
                | AttachNote::HeldForAMoment,
            ) => {}
            Some(
                AttachNote::UnknownPaths { opens: count }
                | AttachNote::UnknownEndings { processes: count }
                | AttachNote::UnknownMemory { programs: count }
                | AttachNote::SetUidProgram { processes: count, .. }
                | AttachNote::NotPermitted { programs: count, .. }
                | AttachNote::ForeignArchitecture { programs: count, .. }
                | AttachNote::IoUring { rings: count, .. }
                | AttachNote::Unfollowed { processes: count }
                | AttachNote::DroppedStacks { calls: count }
                | AttachNote::I386Stacks { calls: count }
                | AttachNote::LetGoByKernel { threads: count },
            ) => *count += 1,
        }
    }

    /// Those that there are, in the order of their kinds.
    pub(super) fn into_list(mut self) -> Vec<AttachNote> {
        self.0.sort();
        self.0
    }
}
