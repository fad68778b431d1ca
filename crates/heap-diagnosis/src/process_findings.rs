//! What the state of a process's break and of its malloc means, and what to do about it.

mod held;
mod malloc;
mod room;

pub use malloc::what_pins;

use crate::finding::Finding;
use human_text::Bytes;
use memory_account::Account;
use proc_memory::BreakState;
use ptmalloc::{Arena, HeapState};

/// What follows from the state of a process, the most pressing first. Without malloc's state only
/// those on the break, and without an account none on who holds memory.
///
/// Each finding looks at the figures of one moment and speaks, or is silent. Thresholds are named
/// and reasoned where they are used. What needs knowledge of a certain server is left to those who
/// have it.
///
/// | kind | what it says |
/// |---|---|
/// | `break-limited` | `RLIMIT_DATA` or `RLIMIT_AS` would refuse malloc's next growth |
/// | `break-blocked` | a mapping leaves the break no room for it |
/// | `heap-beyond-malloc` | `[heap]` has memory above malloc's: a merged mapping, or a program's own |
/// | `break-abandoned` | glibc gave up on a break that nothing blocks now |
/// | `break-near-wall` | there is room left, but not for a heap that doubles |
/// | `memory-returnable` | malloc keeps much that `malloc_trim(0)` would give back |
/// | `memory-pinned` | much is free, and stays on pages that chunks in use share |
/// | `memory-held` | most of the memory is one owner's, and nothing of it could simply be given back |
///
/// ```
/// use heap_diagnosis::process_findings;
/// use proc_memory::{BreakState, Process};
/// use ptmalloc::Examiner;
///
/// let process = Process::open(std::process::id() as i32)?;
/// let state = BreakState::of(&process)?;
/// let examination = Examiner::new().examine(&process);
/// for finding in process_findings(&state, examination.state.as_ref().ok(), None) {
///     println!("{}: {finding}", finding.kind);
/// }
/// # Ok::<(), proc_memory::ProcessError>(())
/// ```
#[must_use]
pub fn process_findings(
    state: &BreakState,
    malloc: Option<&HeapState>,
    account: Option<&Account>,
) -> Vec<Finding> {
    let case = Case { state, malloc };
    let mut findings: Vec<_> = [
        room::limited(&case),
        room::blocked(&case),
        malloc::beyond(&case),
        malloc::abandoned(&case),
        room::near_wall(&case),
        malloc::returnable(&case),
        malloc::pinned(&case),
    ]
    .into_iter()
    .flatten()
    .collect();
    let is_returnable = |finding: &Finding| finding.kind == "memory-returnable";
    if let Some(account) = account.filter(|_| !findings.iter().any(is_returnable)) {
        findings.extend(held::held(account, state.pid));
    }
    // Stable, so that equals stay in the order above.
    findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
    findings
}

/// A heap of this size is worth being told of.
const LARGE_BYTES: u64 = 64 << 20;

/// What is known of the process that a finding is about.
struct Case<'a> {
    state: &'a BreakState,
    /// `None` if it isn't known, or the malloc is not glibc's.
    malloc: Option<&'a HeapState>,
}

impl Case<'_> {
    fn main_arena(&self) -> Option<&Arena> {
        self.malloc?.arenas.iter().find(|arena| arena.main)
    }

    /// Whether glibc's malloc has taken memory elsewhere after the break was refused to it.
    fn has_given_up(&self) -> Option<bool> {
        self.malloc.map(|malloc| malloc.non_contiguous)
    }

    /// What the main arena has that doesn't lie at the break, as far as sizes tell.
    fn elsewhere_bytes(&self) -> Option<u64> {
        let arena = self.main_arena()?;
        Some(arena.system_bytes.saturating_sub(self.state.segment_bytes))
    }

    /// Whether anything in the process uses the break, or will: glibc's malloc does, and so does
    /// whoever has touched memory there.
    fn break_matters(&self) -> bool {
        self.malloc.is_some() || self.state.used != Some(false)
    }

    /// The figures that every finding on the break stands on.
    fn with_break(&self, finding: Finding) -> Finding {
        let finding = finding
            .evidence("break", format!("{:#x}", self.state.end))
            .evidence("segment_bytes", self.state.segment_bytes)
            .evidence("room_bytes", self.state.room_bytes)
            .evidence("growable_bytes", self.state.growable_bytes);
        match self.malloc {
            Some(malloc) => finding
                .evidence("non_contiguous", malloc.non_contiguous)
                .evidence("elsewhere_bytes", self.elsewhere_bytes()),
            None => finding,
        }
    }

    /// How much glibc took elsewhere, for a sentence that says that it did.
    fn so_far(&self) -> String {
        match self.elsewhere_bytes() {
            Some(bytes) if bytes > 0 => format!(" ({} so far)", Bytes(bytes)),
            _ => String::new(),
        }
    }
}

#[cfg(test)]
mod tests;
