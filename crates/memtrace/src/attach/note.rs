//! What a watching did not do, said instead of passed over.

use std::fmt;

/// A remark on a watching. There is at most one of each kind.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
#[allow(missing_docs, reason = "each sentence names its fields")]
pub enum AttachNote {
    /// ptrace was used, which stops the process at every call.
    Slow {
        /// Why tracepoints were not used; `None` if ptrace was asked for.
        instead_of_tracepoints: Option<String>,
    },
    /// Threads were made so fast that the process had to be stopped for a moment at the beginning.
    HeldForAMoment,
    /// Files were opened whose path was gone before it could be read.
    UnknownPaths { opens: u64 },
    /// Processes ended, and how is not known.
    UnknownEndings { processes: u64 },
    /// What memory a program had when it began could not be read before it changed.
    UnknownMemory { programs: u64 },
    /// A set-uid program was executed, for which the kernel ends the use of tracepoints.
    SetUidProgram { first_pid: i32, processes: u64 },
    /// Programs for another architecture (32-bit) ran; their calls are not counted.
    ForeignArchitecture { first_pid: i32, programs: u64 },
    /// Threads could not be let go one by one (they wait for a child made by vfork); the kernel
    /// let them go when the tracer's thread ended.
    LetGoByKernel { threads: u64 },
}

impl fmt::Display for AttachNote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Slow {
                instead_of_tracepoints,
            } => {
                f.write_str(
                    "watched with ptrace: every system call stopped the process twice, which made \
                     call-heavy work many times slower",
                )?;
                match instead_of_tracepoints {
                    Some(reason) => write!(f, "; tracepoints were not used: {reason}"),
                    None => Ok(()),
                }
            }
            Self::HeldForAMoment => f.write_str(
                "it made threads so fast that it was stopped for a moment at the beginning",
            ),
            Self::UnknownPaths { opens } => write!(
                f,
                "the paths of {opens} opened files are unknown: they were closed, or their \
                 process had ended, before the path could be read"
            ),
            Self::UnknownEndings { processes } => {
                write!(f, "how {processes} processes ended is unknown")
            }
            Self::UnknownMemory { programs } => write!(
                f,
                "{programs} programs changed their memory before it was first read; what they had \
                 at the beginning is unknown"
            ),
            Self::SetUidProgram {
                first_pid,
                processes,
            } => write!(
                f,
                "{processes} processes, the first of them {first_pid}, executed set-uid programs, \
                 for which the kernel ends the use of tracepoints; their calls are not counted"
            ),
            Self::ForeignArchitecture {
                first_pid,
                programs,
            } => write!(
                f,
                "not followed: 32-bit (or other foreign) programs, {programs} in all, the first \
                 in process {first_pid}; their calls are not counted"
            ),
            Self::LetGoByKernel { threads } => write!(
                f,
                "{threads} threads that wait for a vfork child were let go by the kernel"
            ),
        }
    }
}

/// The notes of a watching in the making.
#[derive(Debug, Default)]
pub(super) struct AttachNotes {
    pub(super) slow: Option<Option<String>>,
    pub(super) held: bool,
    pub(super) unknown_paths: u64,
    pub(super) unknown_endings: u64,
    pub(super) unknown_memory: u64,
    pub(super) let_go_by_kernel: u64,
    set_uid: Option<(i32, u64)>,
    foreign: Option<(i32, u64)>,
}

impl AttachNotes {
    pub(super) fn set_uid(&mut self, pid: i32) {
        self.set_uid.get_or_insert((pid, 0)).1 += 1;
    }

    pub(super) fn foreign(&mut self, pid: i32) {
        self.foreign.get_or_insert((pid, 0)).1 += 1;
    }

    pub(super) fn into_list(self) -> Vec<AttachNote> {
        let some = |count: u64| (count > 0).then_some(count);
        let slow = self.slow.map(|instead_of_tracepoints| AttachNote::Slow {
            instead_of_tracepoints,
        });
        let set_uid = self
            .set_uid
            .map(|(first_pid, processes)| AttachNote::SetUidProgram {
                first_pid,
                processes,
            });
        let foreign = self
            .foreign
            .map(|(first_pid, programs)| AttachNote::ForeignArchitecture {
                first_pid,
                programs,
            });
        [
            slow,
            self.held.then_some(AttachNote::HeldForAMoment),
            some(self.unknown_paths).map(|opens| AttachNote::UnknownPaths { opens }),
            some(self.unknown_endings).map(|processes| AttachNote::UnknownEndings { processes }),
            some(self.unknown_memory).map(|programs| AttachNote::UnknownMemory { programs }),
            set_uid,
            foreign,
            some(self.let_go_by_kernel).map(|threads| AttachNote::LetGoByKernel { threads }),
        ]
        .into_iter()
        .flatten()
        .collect()
    }
}
