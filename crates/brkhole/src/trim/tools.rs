//! What it takes to look into a process, kept from one to the next.

use proc_unwind::Stacks;
use ptmalloc::Examiner;

pub(super) struct Tools {
    pub(super) examiner: Examiner,
    pub(super) stacks: Stacks,
    /// Those of the kernel of a process's memory.
    pub(super) counters_are_exact: bool,
}
