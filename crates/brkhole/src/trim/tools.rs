//! What it takes to look into a process, kept from one to the next.

use proc_unwind::Stacks;
use ptmalloc::Examiner;

/// The examiner of malloc, the unwinder, and whether counters can be trusted.
pub(super) struct Tools {
    pub(super) examiner: Examiner,
    pub(super) stacks: Stacks,
    /// The kernel's counters of a process's memory.
    pub(super) counters_are_exact: bool,
}
