//! Who is to be watched.

use std::path::PathBuf;

use proc_memory::Status;

use super::note::AttachNotes;
use super::{AttachError, AttachNote, process_status};

/// Who is to be watched. A list of numbers is [`Processes`](Self::Processes).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Whom {
    /// These processes, and those that they make from now on.
    Processes(Vec<i32>),
    /// These, who are in a cgroup of version 2 or below it, and whoever comes there, for which it takes
    /// `CAP_SYS_PTRACE` and BPF programs or tracepoints: a note says where that can't be had. It goes
    /// on until it is stopped.
    Cgroup {
        /// The cgroup's directory. If it is removed and made anew, as systemd does when a unit is
        /// started again, it is the new one.
        directory: PathBuf,
        /// Who is there.
        pids: Vec<i32>,
    },
    /// Every process of the machine but the watching one, whenever it is born. It takes
    /// `CAP_SYS_PTRACE`, and can't be done by ptrace.
    ///
    /// A process is told of once it makes one of the calls that are watched, or another process. It
    /// goes on until it is stopped.
    Everybody,
}

impl Whom {
    /// Refuses who can't be watched, whatever the means.
    pub(super) fn check(&self) -> Result<(), AttachError> {
        match self {
            Self::Processes(pids) | Self::Cgroup { pids, .. } => {
                pids.iter().try_for_each(|&pid| process_status::check(pid))
            }
            Self::Everybody if may_trace_all() => Ok(()),
            Self::Everybody => Err(AttachError::EverybodyDenied),
        }
    }

    /// Those that are named, for who has to take hold of each.
    pub fn pids(&self) -> &[i32] {
        match self {
            Self::Processes(pids) | Self::Cgroup { pids, .. } => pids,
            Self::Everybody => &[],
        }
    }

    /// How many times larger rings are than for some processes.
    pub(super) fn ring_times(&self) -> usize {
        match self {
            Self::Processes(_) | Self::Cgroup { .. } => 1,
            Self::Everybody => 4,
        }
    }

    /// Whether processes are to be watched that neither are named nor made by those.
    pub(super) fn admits_others(&self) -> bool {
        !matches!(self, Self::Processes(_))
    }

    /// Without those who come to a cgroup, and a word why: if there is one.
    pub(super) fn without_comers(&self, why: impl ToString) -> Option<(Self, AttachNote)> {
        match self {
            Self::Cgroup { pids, .. } => {
                let note = AttachNote::WithoutComers { why: why.to_string() };
                Some((Self::Processes(pids.clone()), note))
            }
            _ => None,
        }
    }

    /// Opens a way of watching: of those who are there alone, if it must be.
    pub(super) fn open<W>(
        &self,
        notes: &mut AttachNotes,
        mut open: impl FnMut(&Self) -> Result<W, AttachError>,
    ) -> Result<W, AttachError> {
        let error = match open(self) {
            Ok(way) => return Ok(way),
            Err(error) => error,
        };
        let Some((fewer, note)) = self.without_comers(&error) else {
            return Err(error);
        };
        let way = open(&fewer)?;
        notes.add(note);
        Ok(way)
    }
}

impl<T: AsRef<[i32]> + ?Sized> From<&T> for Whom {
    fn from(pids: &T) -> Self {
        let mut pids = pids.as_ref().to_vec();
        pids.sort_unstable();
        pids.dedup();
        Self::Processes(pids)
    }
}

/// Whether this thread has `CAP_SYS_PTRACE`; `false` if that isn't known.
pub(super) fn may_trace_all() -> bool {
    const SYS_PTRACE: u64 = 1 << 19;
    let effective = Status::of_this_thread().ok().and_then(|status| status.capabilities("CapEff"));
    effective.is_some_and(|effective| effective & SYS_PTRACE != 0)
}
