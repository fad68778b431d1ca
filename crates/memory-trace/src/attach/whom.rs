//! Who is to be watched.

use super::{AttachError, process_status};

/// Who is to be watched. A list of numbers is [`Processes`](Self::Processes).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Whom {
    /// These processes, and those that they make from now on.
    Processes(Vec<i32>),
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
            Self::Processes(pids) => pids.iter().try_for_each(|&pid| process_status::check(pid)),
            Self::Everybody if may_trace_all() => Ok(()),
            Self::Everybody => Err(AttachError::EverybodyDenied),
        }
    }

    /// Those that are named, for who has to take hold of each.
    pub fn pids(&self) -> &[i32] {
        match self {
            Self::Processes(pids) => pids,
            Self::Everybody => &[],
        }
    }

    /// How many times larger rings are than for some processes.
    pub(super) fn ring_times(&self) -> usize {
        match self {
            Self::Processes(_) => 1,
            Self::Everybody => 4,
        }
    }

    /// Whether processes are to be watched that neither are named nor made by those.
    pub(super) fn admits_others(&self) -> bool {
        *self == Self::Everybody
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
    let status = std::fs::read_to_string("/proc/thread-self/status").unwrap_or_default();
    let effective = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    let effective = effective.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    effective.is_some_and(|effective| effective & SYS_PTRACE != 0)
}
