//! Is a stopped thread inside malloc?
//!
//! Locks don't tell: a process with a single thread takes none in malloc (`SINGLE_THREAD_P` in
//! glibc's `malloc.c`). So the calls that a thread is in are looked through for malloc's code. Where
//! unwind tables don't lead to the thread's beginning (code that the program made itself, signal
//! handlers on odd stacks), every word of the rest of its stack that would be an address in malloc
//! counts.

use std::fs::File;
use std::os::unix::fs::FileExt;

use proc_memory::{AddressSpace, Process};
use proc_unwind::{CallSite, Chain, Stacks};
use remote_call::HeldThread;

use super::library::TrimLibrary;

/// So much of a stack is looked through; a longer one counts as a hit.
const MOST_STACK_BYTES: u64 = 64 << 20;
const PIECE_BYTES: u64 = 64 << 10;
const WORD: usize = 8;
/// The outermost calls of a thread: the system call that made it, the library's own function, and
/// the one that was asked for.
const OUTERMOST: usize = 3;

/// Where a thread stands that may be inside malloc.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct StoppedTarget {
    pub(super) tid: i32,
    /// The calls that led there, innermost first; empty if only its stack's words say so.
    pub(super) calls: Vec<u64>,
    pub(super) how: How,
}

/// How that is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum How {
    /// One of its calls is malloc's.
    Calls,
    /// Where its calls can't be followed, its stack has an address of malloc's on it.
    Words,
    /// Its registers or its stack can't be read.
    Unreadable,
    /// It is in code that wasn't mapped when the process was learnt.
    Outdated,
}

/// Looks through the threads of a process that stands still. `None`: none is inside.
///
/// Its mappings aren't read meanwhile: where a thread is in code that is newer than what was learnt
/// of them, that is told, unless they were learnt just now.
pub(super) fn any(
    process: &Process,
    threads: &[HeldThread],
    library: &TrimLibrary,
    stacks: &mut Stacks,
    learnt_just_now: bool,
) -> Option<StoppedTarget> {
    let pid = process.pid();
    // Those that are in malloc's own code have nothing to be looked through.
    let own = threads.iter().filter(|thread| !thread.is_kernel_worker());
    let mut threads: Vec<&HeldThread> = own.collect();
    threads.sort_by_key(|thread| !library.is_inside(thread.instruction_pointer));
    threads.into_iter().find_map(|thread| {
        let tid = thread.tid;
        let unreadable = StoppedTarget { tid, calls: Vec::new(), how: How::Unreadable };
        let Some(chain) = stacks.chain(pid, &thread.registers) else {
            return Some(unreadable);
        };
        let calls: Vec<u64> = chain.calls.iter().map(|call| call.address).collect();
        if is_in_calls(&chain, library) && !is_waiting(&chain, thread.system_call, library) {
            let how = How::Calls;
            return Some(StoppedTarget { tid, calls, how });
        }
        if chain.complete {
            return None;
        }
        if chain.outdated && !learnt_just_now {
            let how = How::Outdated;
            return Some(StoppedTarget { tid, calls, how });
        }
        let Some(last) = chain.calls.last() else {
            return Some(unreadable);
        };
        match is_on_stack(process, last.stack_pointer, library) {
            None => Some(unreadable),
            Some(false) => None,
            Some(true) => Some(StoppedTarget { tid, calls, how: How::Words }),
        }
    })
}

/// Whether one of the calls is malloc's.
///
/// The range of malloc's code may have a neighbour's function in it, one of which runs for as long
/// as the program does: glibc's own thread for timers. It is what its thread began with, and lies
/// before all functions that malloc names; nothing of malloc's is both.
fn is_in_calls(chain: &Chain, library: &TrimLibrary) -> bool {
    let began_with = chain.complete.then(|| chain.calls.len().checked_sub(OUTERMOST)).flatten();
    chain.calls.iter().enumerate().any(|(depth, call)| {
        let neighbour = began_with == Some(depth) && call.address < library.first_named;
        library.is_inside(call.address) && !neighbour
    })
}

/// Whether this is a thread of the allocator's own that waits for work, such as jemalloc's
/// background thread: all that is below the wait is the function that the thread began with.
fn is_waiting(chain: &Chain, system_call: Option<i64>, library: &TrimLibrary) -> bool {
    let own = |call: &CallSite| library.malloc.contains(&call.address);
    let Some(first) = chain.calls.iter().position(own) else { return false };
    let (wait, rest) = chain.calls.split_at(first);
    let Some((began, outermost)) = rest.split_last_chunk::<{ OUTERMOST - 1 }>() else {
        return false;
    };
    let waits = |call: &CallSite| library.waits.iter().any(|range| range.contains(&call.address));
    chain.complete
        // A wait with an end that was interrupted before, by an earlier hold, is made again so.
        && matches!(system_call, Some(libc::SYS_futex | libc::SYS_restart_syscall))
        && wait.last().is_some_and(waits)
        && began.iter().all(own)
        && !wait.iter().chain(outermost).any(|call| library.is_inside(call.address))
}

/// Whether a stack has an address of malloc's from a place on. `None` if it can't be read.
fn is_on_stack(process: &Process, from: u64, library: &TrimLibrary) -> Option<bool> {
    let end = AddressSpace::mapping_at(process, from).ok()??.end;
    if end - from > MOST_STACK_BYTES {
        return Some(true);
    }
    let memory = File::open(format!("/proc/{}/mem", process.pid())).ok()?;
    let mut buffer = vec![0; PIECE_BYTES as usize];
    let mut start = from & !(WORD as u64 - 1);
    while start < end {
        let length = PIECE_BYTES.min(end - start) as usize;
        let piece = buffer.get_mut(..length)?;
        memory.read_exact_at(piece, start).ok()?;
        let (words, _) = piece.as_chunks::<WORD>();
        if words.iter().any(|word| library.is_inside(u64::from_le_bytes(*word))) {
            return Some(true);
        }
        start += length as u64;
    }
    Some(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn library() -> TrimLibrary {
        let others = std::iter::once(0x5000..0x5010).collect();
        TrimLibrary::made(0x1000..0x2000, 0x1400, others)
    }

    fn chain(addresses: &[u64], complete: bool) -> Chain {
        let mut chain = Chain::default();
        let calls = addresses.iter().map(|&address| CallSite::new(address, 0));
        (chain.calls, chain.complete) = (calls.collect(), complete);
        chain
    }

    #[test]
    fn any_call_counts() {
        for (addresses, inside) in [
            (&[0x9000, 0x1404, 0x8000, 0x8100, 0x8200][..], true),
            (&[0x9000, 0x1300, 0x1404, 0x8100, 0x8200][..], true),
            (&[0x9000, 0x5004, 0x8000, 0x8100, 0x8200][..], true),
            (&[0x9000, 0x8000, 0x8100, 0x8200][..], false),
        ] {
            assert_eq!(is_in_calls(&chain(addresses, true), &library()), inside);
        }
    }

    #[test]
    fn an_allocators_own_thread_may_wait() {
        let mut library = library();
        library.waits.push(0x7000..0x7100);
        let waits = |addresses: &[u64], call| is_waiting(&chain(addresses, true), call, &library);
        let (own, futex) =
            ([0x9000, 0x7010, 0x1500, 0x1404, 0x8100, 0x8200], Some(libc::SYS_futex));
        assert!(waits(&own, futex) && waits(&own, Some(libc::SYS_restart_syscall)));
        assert!(!waits(&own, Some(libc::SYS_madvise)) && !waits(&own, None));
        assert!(!is_waiting(&chain(&own, false), futex, &library));
        // For a lock; in a thread of the program's; in the middle of something; of no thread.
        assert!(!waits(&[0x9000, 0x7110, 0x1500, 0x8100, 0x8200], futex));
        assert!(!waits(&[0x9000, 0x7010, 0x1500, 0x8000, 0x8100, 0x8200], futex));
        assert!(!waits(&[0x9000, 0x7010, 0x1500, 0x8000, 0x1404, 0x8100, 0x8200], futex));
        assert!(!waits(&[0x7010, 0x1500], futex));
        let program = [0x9000, 0x7010, 0x8000, 0x8100, 0x8200];
        assert!(!waits(&program, futex) && !is_in_calls(&chain(&program, true), &library));
    }

    #[test]
    fn a_neighbour_that_a_thread_began_with_doesnt() {
        let timers = [0x9000, 0x1300, 0x8100, 0x8200];
        assert!(!is_in_calls(&chain(&timers, true), &library()));
        assert!(is_in_calls(&chain(&timers, false), &library()));
        let from_timers = [0x9000, 0x1404, 0x1300, 0x8100, 0x8200];
        assert!(is_in_calls(&chain(&from_timers, true), &library()));
    }
}
