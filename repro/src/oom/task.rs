//! What one child is to do.

use std::ffi::{OsStr, OsString};
use std::path::Path;

/// Loading, or loading and reloading.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Work {
    /// So many locations.
    Load(u64),
    /// So many locations, and as many again while the old ones are alive, which are freed then.
    Reload(u64),
}

impl Work {
    pub(super) fn of(name: &OsStr, locations: u64) -> Option<Self> {
        match name.to_str()? {
            "load" => Some(Self::Load(locations)),
            "reload" => Some(Self::Reload(locations)),
            _ => None,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Load(_) => "load",
            Self::Reload(_) => "reload",
        }
    }

    /// Locations of the configuration.
    pub(super) fn locations(self) -> u64 {
        match self {
            Self::Load(locations) | Self::Reload(locations) => locations,
        }
    }

    pub(super) fn reloads(self) -> bool {
        matches!(self, Self::Reload(_))
    }

    /// Contexts that are loaded in all.
    pub(super) fn contexts(self) -> u64 {
        match self {
            Self::Load(locations) => locations,
            Self::Reload(locations) => locations.saturating_mul(2),
        }
    }
}

/// One child: its arm, its work, its limit.
#[derive(Clone, Copy, Debug)]
pub(super) struct Task<'a> {
    pub(super) arm: &'static str,
    pub(super) work: Work,
    pub(super) budget: u64,
    pub(super) limit: super::flags::Limit,
    pub(super) bundle: &'a Path,
}

impl Task<'_> {
    /// The child's command line.
    pub(super) fn arguments(&self) -> [OsString; 5] {
        [
            self.work.name().into(),
            self.work.locations().to_string().into(),
            self.budget.to_string().into(),
            self.limit.name().into(),
            self.bundle.into(),
        ]
    }
}
