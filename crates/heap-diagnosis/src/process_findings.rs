//! What the state of a process's break and of its malloc means, and what to do about it.

mod case;
mod held;
mod malloc;
mod room;

pub use malloc::why_pinned;

use crate::finding::Finding;
use case::Case;
use memory_account::Account;
use proc_memory::BreakState;
use ptmalloc::HeapState;

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
/// | `memory-returnable` | malloc keeps much that `malloc_trim(0)`, or what another allocator has in its place, would give back |
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
        malloc::returnable(&case, account)
            .or_else(|| malloc::returnable_of_another(account?, state.pid)),
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

#[cfg(test)]
mod tests;
