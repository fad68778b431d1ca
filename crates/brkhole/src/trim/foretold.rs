//! How long a process would stand still, told before it does.
//!
//! It is `malloc_trim` that takes the time: it looks at every free chunk, and the kernel takes back
//! every page. The speeds below are those of a virtual machine on which the blocks were freed in no
//! order, so that nothing is in its caches, and a fifth more; mostly it is faster. What else is
//! done meanwhile doesn't grow with the heap.

use std::time::Duration;

use procmem::page_size_bytes;
use ptmalloc::HeapState;

/// To stop all threads, to look where they are, and to let them go.
const ONCE: Duration = Duration::from_millis(2);
const A_THREAD: Duration = Duration::from_micros(100);
/// For each free chunk: malloc reads its size, on a page of its own in the worst case, and puts one of
/// a fast bin together with its neighbours. In order it is 20 ns, in no order up to 380.
const A_CHUNK: Duration = Duration::from_nanos(450);
/// For each run of whole pages, a system call (madvise) for pages that no processor has near.
const A_RUN: Duration = Duration::from_nanos(4000);
/// For each page that the kernel takes back.
const A_PAGE: Duration = Duration::from_nanos(700);

/// How long, with a processor to spare; what isn't known of malloc's state isn't in it.
pub(super) fn hold(malloc: &HeapState, threads: u64) -> Duration {
    let chunks: u64 = malloc
        .arenas
        .iter()
        .filter_map(|arena| Some(arena.free?.chunks))
        .sum();
    let pages = malloc.returnable_bytes.unwrap_or(0) / page_size_bytes();
    // A free chunk has one run of whole pages, if any; so has a top.
    let runs = pages.min(chunks + malloc.arenas.len() as u64);
    let times = |each: Duration, count: u64| {
        let nanoseconds = each.as_nanos() as u64;
        Duration::from_nanos(nanoseconds.saturating_mul(count))
    };
    ONCE + times(A_THREAD, threads)
        + times(A_CHUNK, chunks)
        + times(A_RUN, runs)
        + times(A_PAGE, pages)
}

#[cfg(test)]
mod tests {
    use super::*;
    use procmem::Process;
    use ptmalloc::Examiner;

    #[test]
    fn it_grows_with_chunks_pages_and_threads() {
        let process = Process::open(std::process::id() as i32).unwrap();
        let Ok(mut malloc) = Examiner::new().examine(&process).state else {
            return;
        };
        malloc.arenas.truncate(1);
        let mut hold_with = |chunks, mib: u64, threads| {
            for arena in &mut malloc.arenas {
                arena.free.get_or_insert_default().chunks = chunks;
            }
            malloc.returnable_bytes = Some(mib << 20);
            hold(&malloc, threads)
        };
        let nothing = hold_with(0, 0, 1);
        assert!(nothing < Duration::from_millis(5), "{nothing:?}");
        assert!(hold_with(1_000_000, 0, 1) > nothing + Duration::from_millis(100));
        assert!(hold_with(0, 1 << 10, 1) > nothing + Duration::from_millis(50));
        assert!(hold_with(0, 0, 101) > nothing + Duration::from_millis(5));
        assert!(hold_with(u64::MAX >> 1, u64::MAX >> 20, u64::MAX) > Duration::from_secs(3600));
    }
}
