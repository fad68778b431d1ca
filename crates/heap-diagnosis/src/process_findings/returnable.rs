//! Freed memory that malloc keeps and could give back.

use super::case::Case;
use crate::finding::{Finding, Severity};
use crate::remedies;
use human_text::Bytes;
use ptmalloc::HeapState;

/// What malloc holds back by design once a block of 8 MiB has been freed: it then leaves a free top
/// of twice that (`mp_.trim_threshold` in `__libc_free`). And a hundred processes that keep less
/// keep no more than 2 GiB together.
const WORTH_RETURNING_BYTES: u64 = 16 << 20;

/// Of a big heap that is in use, so small a part is soon taken again; then giving it back would cost
/// page faults and spare nothing.
const WORTH_RETURNING_SHARE: f64 = 0.1;

/// From so many arenas on, fewer of them are worth a word.
const MANY_ARENAS: usize = 4;

pub(super) fn find(case: &Case) -> Option<Finding> {
    let malloc = case.malloc?;
    let returnable = malloc.returnable_bytes?;
    let share = returnable as f64 / malloc.system_bytes.max(1) as f64;
    if returnable < WORTH_RETURNING_BYTES || share < WORTH_RETURNING_SHARE {
        return None;
    }
    let message = format!(
        "malloc keeps {} that are free and that malloc_trim(0) would give back: {:.0} % of the {} \
         that it has from the kernel.",
        Bytes(returnable),
        (share * 100.0).min(100.0),
        Bytes(malloc.system_bytes),
    );
    let finding = Finding::new("memory-returnable", Severity::Warning, message)
        .evidence("returnable_bytes", returnable)
        .evidence("free_bytes", malloc.free_bytes)
        .evidence("system_bytes", malloc.system_bytes)
        .evidence("arenas", malloc.arenas.len())
        .evidence("non_contiguous", malloc.non_contiguous)
        .remedy(remedy(malloc, returnable, case.state.pid));
    Some(finding)
}

fn remedy(malloc: &HeapState, returnable: u64, pid: i32) -> String {
    let in_threads: u64 = malloc
        .arenas
        .iter()
        .filter(|arena| !arena.main)
        .filter_map(|arena| arena.free.map(|free| free.returnable_bytes))
        .sum();
    // Each thread's arena keeps its own.
    let fewer = match malloc.arenas.len() >= MANY_ARENAS && in_threads > returnable / 2 {
        true => {
            " Most of it is in the arenas of other threads: M_ARENA_MAX (mallopt), or \
             MALLOC_ARENA_MAX=2 in the environment of one that can't be changed, makes them fewer."
        }
        false => "",
    };
    format!(
        "Have the program call malloc_trim(0) after it has freed much. {}{fewer}",
        remedies::trim(pid)
    )
}
