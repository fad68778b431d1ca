//! What is wrong with a document, and where.

use std::fmt;

/// One thing that is wrong.
#[derive(Debug, PartialEq, Eq)]
pub struct Fault {
    /// The document, from the repository's root.
    pub file: String,
    /// Its line, from 1; 0 where it is none of them.
    pub line: usize,
    /// What is wrong.
    pub message: String,
}

impl Fault {
    /// In this line of this document.
    pub fn new(file: impl Into<String>, line: usize, message: impl Into<String>) -> Self {
        Self {
            file: file.into(),
            line,
            message: message.into(),
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(f, "{}: {}", self.file, self.message),
            line => write!(f, "{}:{line}: {}", self.file, self.message),
        }
    }
}

/// Fails with all faults, a line each, if there are any.
///
/// # Errors
///
/// When there are any.
pub fn fail_on(faults: &[Fault], what_helps: &str) -> anyhow::Result<()> {
    if faults.is_empty() {
        return Ok(());
    }
    for fault in faults {
        eprintln!("{fault}");
    }
    let plural = if faults.len() == 1 { "" } else { "s" };
    anyhow::bail!("{} fault{plural}{what_helps}", faults.len())
}
