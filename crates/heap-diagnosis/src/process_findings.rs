//! What the state of a process's break and of its malloc means, and what to do about it.

mod abandoned;
mod beyond;
mod blocked;
mod case;
mod limited;
mod near_wall;
mod returnable;

use crate::finding::Finding;
use case::Case;
use procmem::BreakState;
use ptmalloc::HeapState;

/// What follows from the state of a process, the most pressing first. Without malloc's state only
/// those on the break.
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
///
/// ```
/// use heap_diagnosis::process_findings;
/// use procmem::{BreakState, Process};
/// use ptmalloc::Examiner;
///
/// let process = Process::open(std::process::id() as i32)?;
/// let state = BreakState::of(&process)?;
/// let examination = Examiner::new().examine(&process);
/// for finding in process_findings(&state, examination.state.as_ref().ok()) {
///     println!("{}: {finding}", finding.kind);
/// }
/// # Ok::<(), procmem::ProcessError>(())
/// ```
#[must_use]
pub fn process_findings(state: &BreakState, malloc: Option<&HeapState>) -> Vec<Finding> {
    let case = Case { state, malloc };
    let mut findings: Vec<_> = [
        limited::find(&case),
        blocked::find(&case),
        beyond::find(&case),
        abandoned::find(&case),
        near_wall::find(&case),
        returnable::find(&case),
    ]
    .into_iter()
    .flatten()
    .collect();
    // Stable, so that equals stay in the order above.
    findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
    findings
}

#[cfg(test)]
mod tests;
