//! Whether a process stands still for as long as somebody else wants.

use crate::process::Process;

/// Whether its main thread was stopped, by a signal or by a debugger: then the others were, too, and
/// to wait for them is in vain.
///
/// # References
/// `proc_pid_stat(5)`, field 3
pub(super) fn is_stopped(process: &Process) -> bool {
    let stat = process.whole("stat").unwrap_or_default();
    let name_end = stat.iter().rposition(|byte| *byte == b')');
    let state = name_end.and_then(|end| stat.get(end + 2));
    matches!(state, Some(b'T' | b't'))
}
