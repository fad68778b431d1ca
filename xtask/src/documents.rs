//! The texts that are kept true: the README's template and the book; and what is wrong with one, and where.

use anyhow::Context;
use roots::repository::root;
use std::{fmt, fs};

/// The first page of the repository, as people read it.
pub const README: &str = "README.md";

/// What it is made from: the text that is written, with the commands' and figures' markers.
pub const TEMPLATE: &str = "README.in.md";

#[derive(Debug)]
pub struct Document {
    /// From the repository's root: `book/src/strace.md`.
    pub name: String,
    pub text: String,
}

/// The README's template and all pages of the book, in the order of their names.
///
/// # Errors
/// When one can't be read.
pub fn all() -> anyhow::Result<Vec<Document>> {
    let mut names = vec![TEMPLATE.to_owned()];
    for name in files_in("book/src")? {
        if name.ends_with(".md") {
            names.push(name);
        }
    }
    names.into_iter().map(read).collect()
}

/// All these, and whatever else people read: the pages beside the README, and the README of each
/// directory.
///
/// # Errors
/// When one can't be read.
pub fn with_links() -> anyhow::Result<Vec<Document>> {
    let mut documents = all()?;
    let pages = ["CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md"];
    let mut names: Vec<String> = pages.map(str::to_owned).into();
    for directory in ["crates", "runs", "benches", "testbed"] {
        let mut files = files_in(directory)?;
        files.retain(|name| name.ends_with("/README.md"));
        names.extend(files);
    }
    for name in names {
        documents.push(read(name)?);
    }
    Ok(documents)
}

fn read(name: String) -> anyhow::Result<Document> {
    let text = fs::read_to_string(root().join(&name)).with_context(|| name.clone())?;
    Ok(Document { name, text })
}

/// The files of a directory and those below it, sorted, named from the root; none if it isn't there.
///
/// # Errors
/// When a directory can't be read.
pub fn files_in(directory: &str) -> anyhow::Result<Vec<String>> {
    let mut names = Vec::new();
    let path = root().join(directory);
    if !path.is_dir() {
        return Ok(names);
    }
    for entry in fs::read_dir(&path).with_context(|| directory.to_owned())? {
        let entry = entry?;
        let name = format!("{directory}/{}", entry.file_name().to_string_lossy());
        if entry.file_type()?.is_dir() {
            names.extend(files_in(&name)?);
        } else {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}

/// The fence that a line begins or ends, such as three backticks, and what stands behind it.
pub fn fence(line: &str) -> Option<(&str, &str)> {
    let line = line.trim();
    let length = line.len() - line.trim_start_matches('`').len();
    (length >= 3).then(|| line.split_at(length))
}

/// Whether lines, one after the other, are those of a fenced block.
#[derive(Debug, Default)]
pub struct Fence<'a>(Option<&'a str>);

impl<'a> Fence<'a> {
    /// Whether this line is in a block, or begins or ends one.
    pub fn holds(&mut self, line: &'a str) -> bool {
        let is_within = self.0.is_some();
        match (fence(line), self.0) {
            (Some((ticks, _)), None) => self.0 = Some(ticks),
            (Some((ticks, "")), Some(open)) if ticks.len() >= open.len() => self.0 = None,
            _ => {}
        }
        is_within || self.0.is_some()
    }
}

#[derive(Debug, PartialEq, Eq)]
pub struct Fault {
    /// The document, from the repository's root.
    pub file: String,
    /// Its line, from 1; 0 where it is none of them.
    pub line: usize,
    pub message: String,
}

impl Fault {
    /// In this line of this document.
    pub fn new(file: impl Into<String>, line: usize, message: impl Into<String>) -> Self {
        Self { file: file.into(), line, message: message.into() }
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
