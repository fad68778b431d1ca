//! Threads of a process, who traces them, and code in its memory, as `/proc` has it.

use std::fs::{self, File};
use std::ops::Range;
use std::os::unix::fs::{FileExt, MetadataExt};

use proc_memory::Status;

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
    let threads: Vec<_> =
        list.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect();
    let whole = threads.len() >= count;
    (threads, whole)
}

/// Whether a thread of this process traces a thread.
pub fn is_traced_here(tid: i32) -> bool {
    // The tracer's thread is named there, not its process.
    let tracer = Status::of(tid).ok().and_then(|status| status.tracer());
    tracer.is_some_and(|tracer| fs::exists(format!("/proc/self/task/{tracer}")).unwrap_or(false))
}

/// What `parse` makes of the first `length` bytes of which it makes something, in this range of an
/// open `/proc/TID/mem`; it is given their address and them. `None` also for memory that can't be
/// read, such as the old vsyscall page.
pub fn find_in_memory<T>(
    memory: &File,
    range: &Range<u64>,
    length: usize,
    mut parse: impl FnMut(u64, &[u8]) -> Option<T>,
) -> Option<T> {
    /// How much is read at once.
    const PIECE_BYTES: u64 = 256 << 10;
    let mut piece = vec![0; PIECE_BYTES as usize];
    let mut start = range.start;
    while start + length as u64 <= range.end {
        let read = PIECE_BYTES.min(range.end - start);
        let piece = &mut piece[..read as usize];
        memory.read_exact_at(piece, start).ok()?;
        let mut places = (start..).zip(piece.windows(length));
        let found = places.find_map(|(address, bytes)| parse(address, bytes));
        if found.is_some() {
            return found;
        }
        // Some bytes again, as it may lie on both sides of the border.
        start += read - (length as u64 - 1);
    }
    None
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
