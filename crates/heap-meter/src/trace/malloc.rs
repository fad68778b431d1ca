//! What malloc kept in a process at the end of the watching.

use std::fs;

use serde::Serialize;

use ptmalloc::{Examination, HeapState};

/// When a process was looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Moment {
    /// As it ended, its memory being still there. A program that frees nothing on its way out keeps
    /// what it kept before; a tidy one has freed everything by then.
    Exit,
    /// When the watching ended; it ran on.
    EndOfWatching,
}

/// malloc in one process.
///
/// In JSON the fields of [`HeapState`] stand beside the others; where the state isn't known there are
/// none of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct MallocReport {
    /// The process.
    pub pid: i32,
    /// What its first thread was called; bytes that aren't UTF-8 are replaced.
    pub comm: Option<String>,
    /// When it was looked at.
    pub when: Moment,
    /// Whose malloc it is, such as `glibc 2.36`; `None` if it wasn't recognised.
    pub allocator: Option<String>,
    /// What it keeps.
    #[serde(flatten)]
    pub state: Option<HeapState>,
    /// Why that isn't known.
    pub unknown: Option<String>,
}

impl MallocReport {
    /// What was found in the process that has this number.
    pub fn of(pid: i32, when: Moment, found: Examination) -> Self {
        let (state, unknown) = match found.state {
            Ok(state) => (Some(state), None),
            Err(unknown) => (None, Some(unknown.to_string())),
        };
        Self {
            pid,
            comm: comm(pid),
            when,
            allocator: found.allocator.map(|allocator| allocator.to_string()),
            unknown: unknown.or_else(|| state.as_ref().and_then(part_unknown)),
            state,
        }
    }

    /// What the process was called, and its number: `nginx 1234`.
    pub fn name(&self) -> String {
        match &self.comm {
            Some(comm) => format!("{comm} {}", self.pid),
            None => format!("process {}", self.pid),
        }
    }
}

/// Why what malloc keeps free isn't known of all arenas.
fn part_unknown(state: &HeapState) -> Option<String> {
    let mut arenas = state.arenas.iter();
    arenas.find_map(|arena| arena.unknown.clone())
}

fn comm(pid: i32) -> Option<String> {
    let comm = fs::read(format!("/proc/{pid}/comm")).ok()?;
    Some(String::from_utf8_lossy(comm.trim_ascii_end()).into_owned())
}
