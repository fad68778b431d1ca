//! What a run did not do, said instead of passed over.

use std::fmt;

/// A remark on a run. There is at most one of each kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
#[allow(missing_docs, reason = "each sentence names its fields")]
pub enum LaunchNote {
    /// The filter could only be installed with `PR_SET_NO_NEW_PRIVS`: set-uid programs in the
    /// run did not gain rights. (Traced by an ordinary user they would not have anyway.)
    NoNewPrivileges,
    /// Programs for another architecture (32-bit) ran; their calls are not counted.
    ForeignArchitecture { first_pid: i32, programs: u64 },
    /// Processes installed a seccomp filter of their own; calls that it refuses are not counted.
    OwnFilter { first_pid: i32, filters: u64 },
}

impl fmt::Display for LaunchNote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoNewPrivileges => f.write_str(
                "set-uid programs ran without the rights they would have gained \
                 (no_new_privs, which an ordinary user's seccomp filter requires)",
            ),
            Self::ForeignArchitecture {
                first_pid,
                programs,
            } => write!(
                f,
                "not followed: 32-bit (or other foreign) programs, {programs} in all, the first \
                 in process {first_pid}; they ran, but their calls are not counted"
            ),
            Self::OwnFilter { first_pid, filters } => write!(
                f,
                "{filters} seccomp filters installed by the program itself, the first in \
                 process {first_pid}; calls that they refuse are not counted"
            ),
        }
    }
}

/// The notes of a run in the making.
#[derive(Debug, Default)]
pub(super) struct LaunchNotes {
    no_new_privileges: bool,
    foreign: Option<(i32, u64)>,
    own_filter: Option<(i32, u64)>,
}

impl LaunchNotes {
    pub(super) fn no_new_privileges(&mut self) {
        self.no_new_privileges = true;
    }

    pub(super) fn foreign_architecture(&mut self, pid: i32) {
        self.foreign.get_or_insert((pid, 0)).1 += 1;
    }

    pub(super) fn own_filter(&mut self, pid: i32) {
        self.own_filter.get_or_insert((pid, 0)).1 += 1;
    }

    pub(super) fn into_list(self) -> Vec<LaunchNote> {
        let no_new_privileges = self
            .no_new_privileges
            .then_some(LaunchNote::NoNewPrivileges);
        let foreign = self
            .foreign
            .map(|(first_pid, programs)| LaunchNote::ForeignArchitecture {
                first_pid,
                programs,
            });
        let own_filter = self
            .own_filter
            .map(|(first_pid, filters)| LaunchNote::OwnFilter { first_pid, filters });
        [no_new_privileges, foreign, own_filter]
            .into_iter()
            .flatten()
            .collect()
    }
}
