//! Whether a process stands still for as long as somebody else wants.

use procmem::Process;

/// Whether its main thread was stopped, by a signal or by a debugger: then the others were, too, and
/// to wait for them is in vain.
pub(super) fn is_stopped(process: &Process) -> bool {
    process.stat().is_ok_and(|stat| stat.is_stopped())
}
