//! How much of a process's arenas is looked at.

use std::time::Instant;

/// Whether lists of free chunks are followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lists {
    /// They are; until then, if it may not take longer.
    Followed { until: Option<Instant> },
    /// They aren't: arenas and locks are all that is seen.
    Left,
}

impl Lists {
    /// When to give up.
    pub(super) fn until(self) -> Option<Instant> {
        match self {
            Self::Followed { until } => until,
            Self::Left => None,
        }
    }
}
