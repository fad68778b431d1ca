//! Why a process wasn't trimmed: in a sentence for people, as a class for counting.

use std::fmt;

/// The class.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum RefusalKind {
    /// Its system calls are filtered.
    Filtered,
    /// It would stand still for too long.
    TooLong,
    /// Another process is tracing it.
    Traced,
    /// It is stopped.
    Stopped,
    /// What malloc has can't be verified.
    Unverified,
    /// There was no good moment.
    NoMoment,
    /// The call went wrong, or was left to itself.
    Failed,
    #[default]
    Other,
}

impl RefusalKind {
    pub(crate) const ALL: [Self; 8] = [
        Self::Filtered,
        Self::TooLong,
        Self::Traced,
        Self::Stopped,
        Self::Unverified,
        Self::NoMoment,
        Self::Failed,
        Self::Other,
    ];

    /// A fixed name for programs.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Filtered => "filtered",
            Self::TooLong => "too-long",
            Self::Traced => "traced",
            Self::Stopped => "stopped",
            Self::Unverified => "unverified",
            Self::NoMoment => "no-moment",
            Self::Failed => "failed",
            Self::Other => "other",
        }
    }

    /// The same with what is told.
    pub(super) fn told(self, told: impl Into<String>) -> Refusal {
        Refusal { kind: self, told: told.into() }
    }
}

/// Both.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) kind: RefusalKind,
    pub(super) told: String,
}

impl From<String> for Refusal {
    fn from(told: String) -> Self {
        RefusalKind::Other.told(told)
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.told)
    }
}
