//! One thing that must be so in every release.

use serde::{Deserialize, Serialize};

#[derive(Debug, Serialize, Deserialize)]
pub struct Check {
    pub name: String,
    pub ok: bool,
    /// What was found instead.
    pub fault: Option<String>,
}

impl Check {
    /// It is so, or `fault` says what was found instead.
    pub fn of(name: impl Into<String>, ok: bool, fault: impl FnOnce() -> String) -> Self {
        Self {
            name: name.into(),
            ok,
            fault: (!ok).then(fault),
        }
    }

    /// Both counts are equal.
    pub fn equal(name: impl Into<String>, expected: usize, found: usize) -> Self {
        let fault = || format!("{found} instead of {expected}");
        Self::of(name, expected == found, fault)
    }
}
