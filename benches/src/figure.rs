//! A number of bytes that must not be passed: for what is no matter of time.

use std::collections::BTreeMap;
use std::fmt;

use human_text::Bytes;
use serde::Serialize;
use serde_json::Value;

/// What was found, and how much it may be.
#[derive(Clone, Debug, Serialize)]
pub struct Figure {
    /// Its name.
    pub name: String,
    /// What was asked for.
    pub parameters: BTreeMap<String, Value>,
    /// What was found, in bytes.
    pub bytes: u64,
    /// What it may be at most, in bytes.
    pub at_most_bytes: Option<u64>,
    /// Whether it is; `None` when nothing is required.
    pub met: Option<bool>,
}

impl Figure {
    /// A figure of which nothing is required.
    pub fn new(name: impl Into<String>, bytes: u64) -> Self {
        Self {
            name: name.into(),
            parameters: BTreeMap::new(),
            bytes,
            at_most_bytes: None,
            met: None,
        }
    }

    /// Notes a parameter for the report.
    #[must_use]
    pub fn parameter(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.parameters.insert(name.to_owned(), value.into());
        self
    }

    /// It has to be at most this.
    #[must_use]
    pub fn at_most(mut self, bytes: u64) -> Self {
        self.at_most_bytes = Some(bytes);
        self.met = Some(self.bytes <= bytes);
        self
    }
}

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.name, Bytes(self.bytes))?;
        for (name, value) in &self.parameters {
            write!(f, ", {name} {value}")?;
        }
        if let (Some(limit), Some(met)) = (self.at_most_bytes, self.met) {
            let verdict = if met { "met" } else { "NOT MET" };
            write!(f, "; required at most {}: {verdict}", Bytes(limit))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_itself_is_allowed() {
        let figure = |bytes| Figure::new("peak", bytes).parameter("calls", 7);
        assert_eq!(figure(2048).met, None);
        assert_eq!(figure(2048).at_most(2048).met, Some(true));
        let passed = figure(2049).at_most(2048);
        assert_eq!(passed.met, Some(false));
        let text = passed.to_string();
        assert!(text.starts_with("peak: 2"), "{text}");
        assert!(text.contains("calls 7; required at most 2"), "{text}");
        assert!(text.ends_with(": NOT MET"), "{text}");
    }
}
