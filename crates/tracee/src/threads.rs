//! Threads of a process, and who traces them, as `/proc` has it.

use std::fs;
use std::os::unix::fs::MetadataExt;

use procmem::Status;

/// Threads of a process in the order of their birth, and whether nobody is missing; none if the
/// process is gone.
///
/// The list ends early, without a word, where a thread is released while the kernel goes on from
/// it to the next. One that was there before the threads were counted and isn't in a list which
/// is cut so was born after all in it: then the list is shorter than that count.
///
/// # References
/// `next_tid`, `proc_task_readdir` and `proc_task_getattr` in Linux 6.18's `fs/proc/base.c`
pub fn threads(pid: i32) -> (Vec<i32>, bool) {
    let path = format!("/proc/{pid}/task");
    let links = fs::metadata(&path).map_or(0, |task| task.nlink());
    let count = links.saturating_sub(2) as usize;
    let list = fs::read_dir(path).into_iter().flatten().flatten();
    let threads: Vec<_> = list
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .collect();
    let whole = threads.len() >= count;
    (threads, whole)
}

/// Whether a thread of this process traces a thread.
pub fn is_traced_here(tid: i32) -> bool {
    // The tracer's thread is named there, not its process.
    let tracer = Status::of(tid).ok().and_then(|status| status.tracer());
    tracer.is_some_and(|tracer| fs::exists(format!("/proc/self/task/{tracer}")).unwrap_or(false))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process() {
        let (threads, whole) = threads(std::process::id() as i32);
        let this = fs::read_link("/proc/thread-self").unwrap();
        let tid = this.file_name().unwrap().to_str().unwrap().parse().unwrap();
        assert!(threads.contains(&tid) && threads[0] == std::process::id() as i32);
        // Other tests' threads may end at any moment.
        assert!(whole || threads.len() > 1);
        assert!(!is_traced_here(tid));
        assert_eq!(super::threads(0), (Vec::new(), true));
    }
}
