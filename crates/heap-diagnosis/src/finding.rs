//! A diagnosis.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt;

/// What was found, on what evidence, why it matters and what to do.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Finding {
    /// A fixed name for programs: `break-blocked`, `memory-kept`, ….
    pub kind: String,
    /// How much it matters.
    pub severity: Severity,
    /// One or two sentences for people.
    pub message: String,
    /// The figures that it stands on.
    pub evidence: BTreeMap<String, Value>,
    /// What to do about it; `None` when nothing needs doing.
    pub remedy: Option<String>,
}

/// How much a finding matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Severity {
    /// Good to know.
    Info,
    /// Costs memory or time.
    Warning,
    /// Will end in an allocation failure or the OOM killer.
    Critical,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Critical => "critical",
        })
    }
}

impl Finding {
    /// A finding without evidence or remedy yet.
    pub fn new(kind: &str, severity: Severity, message: impl Into<String>) -> Self {
        Self {
            kind: kind.to_owned(),
            severity,
            message: message.into(),
            evidence: BTreeMap::new(),
            remedy: None,
        }
    }

    /// Adds a figure that it stands on.
    #[must_use]
    pub fn evidence(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.evidence.insert(name.to_owned(), value.into());
        self
    }

    /// Adds what to do.
    #[must_use]
    pub fn remedy(mut self, remedy: impl Into<String>) -> Self {
        self.remedy = Some(remedy.into());
        self
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        match &self.remedy {
            Some(remedy) => write!(f, " {remedy}"),
            None => Ok(()),
        }
    }
}
