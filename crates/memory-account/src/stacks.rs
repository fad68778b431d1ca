//! Threads' stacks: where glibc says that they are, in the record that it keeps at the top of each.
//!
//! The kernel knows of each thread where its list of robust mutexes begins, which is in that record
//! (`struct pthread`); there stand the mapping, its length and its guard, too.
//!
//! # References
//! get_robust_list(2); glibc 2.27 to 2.44, `nptl/descr.h` (`stackblock`, `stackblock_size`,
//! `guardsize`), `nptl/allocatestack.c`; `proc_pid_syscall(5)`

use std::ops::Range;

use proc_memory::{Process, page_size_bytes, robust_list, word};

use super::row::Kind;
use super::space::Space;

/// Threads that are asked, for some 20 µs each; the stacks of more are unknown memory.
const MOST_THREADS: usize = 1 << 16;
/// The record's part round the head of the list in it.
const BEFORE_BYTES: u64 = 0x400;
const AFTER_BYTES: u64 = 0x500;
/// Above the list there is at most this of the record, and of what threads keep for themselves.
const MOST_ABOVE_BYTES: u64 = 1 << 20;

/// Claims those of all threads, the main thread's included.
pub(super) fn claim(space: &mut Space<'_>) {
    let process = space.process();
    let (pid, threads) = (process.pid(), threads(process));
    for tid in threads {
        let (stack, row) = if tid == pid {
            let stack = space.areas().iter().find(|area| area.mapping.is_stack());
            let stack = stack.map(|area| area.mapping.start..area.mapping.end);
            (stack, space.row(Kind::Stack, "main thread's stack", "the kernel calls it [stack]"))
        } else {
            const EVIDENCE: &str = "the mapping that glibc's record of the thread names";
            (of_thread(space, tid), space.row(Kind::Stack, "other threads' stacks", EVIDENCE))
        };
        let Some(stack) = stack else { continue };
        space.claim(stack.clone(), row);
        // Of a thread that runs it isn't known.
        let pointer = stack_pointer(pid, tid).filter(|at| stack.contains(at));
        if let Some(pointer) = pointer {
            let unused = stack.start..pointer / page_size_bytes() * page_size_bytes();
            let once_used = space.resident(&[unused]);
            let bytes = once_used.iter().map(|part| part.end - part.start).sum();
            space.is_free(row, bytes, None);
        }
    }
}

fn threads(process: &Process) -> Vec<i32> {
    let threads = std::fs::read_dir(format!("/proc/{}/task", process.pid()));
    let names = threads.into_iter().flatten().flatten().map(|entry| entry.file_name());
    names.filter_map(|name| name.to_str()?.parse().ok()).take(MOST_THREADS).collect()
}

fn of_thread(space: &Space<'_>, tid: i32) -> Option<Range<u64>> {
    let head = robust_list(tid).ok().filter(|head| *head > BEFORE_BYTES)?;
    let start = head - BEFORE_BYTES;
    let area = &space.area_at(head)?.mapping;
    let record = space.read(start.max(area.start)..(head + AFTER_BYTES).min(area.end))?;
    let page = page_size_bytes();
    let words: Vec<u64> = record.chunks_exact(8).map(|eight| word(eight, 0)).collect();
    words.windows(3).find_map(|words| {
        let &[block, size, guard] = words else { return None };
        let aligned = block > 0 && (block | size | guard).is_multiple_of(page);
        let end = block.checked_add(size)?;
        let holds = block < head && head < end && end - head < MOST_ABOVE_BYTES;
        (aligned && holds && guard < size).then(|| block + guard..end)
    })
}

/// Where the stack of a thread that waits ends.
fn stack_pointer(pid: i32, tid: i32) -> Option<u64> {
    let line = std::fs::read_to_string(format!("/proc/{pid}/task/{tid}/syscall")).ok()?;
    let pointer = line.split_whitespace().rev().nth(1)?.strip_prefix("0x")?;
    u64::from_str_radix(pointer, 16).ok()
}
