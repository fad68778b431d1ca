//! The ways in which a program is run.

use super::site::{LIBRARY, LOG};

/// With the library or without it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// As the distribution made it.
    Without,
    /// With the library, which is told to keep out.
    Off,
    /// Parsed once, a private store for each context.
    Private,
    /// Parsed once, one store for all contexts.
    SharedStore,
}

impl Mode {
    /// All in which the library is there.
    pub const WITH: [Self; 3] = [Self::Off, Self::Private, Self::SharedStore];

    /// Its name in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Without => "without",
            Self::Off => "off",
            Self::Private => "private",
            Self::SharedStore => "shared-store",
        }
    }

    /// Whether the library is to do something.
    pub fn is_acting(self) -> bool {
        matches!(self, Self::Private | Self::SharedStore)
    }

    /// The variables that `env` sets for it.
    pub fn variables(self) -> Vec<String> {
        let mut variables = Vec::new();
        if self != Self::Without {
            variables.push(format!("LD_PRELOAD={LIBRARY}"));
            variables.push(format!("TRUSTED_CA_LOG={LOG}"));
        }
        if matches!(self, Self::Off | Self::SharedStore) {
            variables.push(format!("TRUSTED_CA={}", self.name()));
        }
        variables
    }
}
