//! Whether a process may be in the middle of a change.

use procmem::{Process, Stat};

/// Threads that are looked at; more of them take no lock less.
const MOST_THREADS: usize = 1024;

/// Whether any thread is other than asleep: it runs, waits for a CPU or for the disk, or was
/// stopped, and so may be in the middle of malloc. A program with one thread takes no lock, so that
/// nothing else tells it. What can't be read counts as at work.
///
/// # References
/// `proc_pid_stat(5)`
pub(super) fn is_possible(process: &Process) -> bool {
    let Ok(threads) = std::fs::read_dir(format!("/proc/{}/task", process.pid())) else {
        return true;
    };
    threads.flatten().take(MOST_THREADS).any(|thread| {
        let stat = std::fs::read(thread.path().join("stat")).unwrap_or_default();
        Stat::parse(&stat).is_none_or(|stat| stat.state != b'S')
    })
}
