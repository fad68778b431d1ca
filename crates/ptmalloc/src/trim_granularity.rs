//! By how much the main arena's top shrinks: whole pages, or whole huge ones.
//!
//! # References
//! glibc `malloc/malloc.c` since 2.35, `systrim` and `thp_pagesize`; `malloc/arena.c`,
//! `ptmalloc_init`; the manual's "Memory Allocation Tunables", `glibc.malloc.hugetlb`

use procmem::Process;
use procmem::page_size_bytes;

const MODE: &str = "/sys/kernel/mm/transparent_hugepage/enabled";
const SIZE: &str = "/sys/kernel/mm/transparent_hugepage/hpage_pmd_size";

/// Bytes of one step of a process's main arena.
pub(super) fn top_bytes(process: &Process) -> u64 {
    huge(process).unwrap_or_else(page_size_bytes)
}

/// With that tunable the step is a huge page's size, if the kernel gives those only where they are
/// asked for.
fn huge(process: &Process) -> Option<u64> {
    let mode = std::fs::read_to_string(MODE).ok()?;
    if !mode.contains("[madvise]") {
        return None;
    }
    let asked = process
        .whole("environ")
        .ok()?
        .split(|byte| *byte == 0)
        .filter_map(|variable| variable.strip_prefix(b"GLIBC_TUNABLES="))
        .flat_map(|tunables| tunables.split(|byte| *byte == b':'))
        .any(|tunable| tunable == b"glibc.malloc.hugetlb=1");
    if !asked {
        return None;
    }
    std::fs::read_to_string(SIZE).ok()?.trim().parse().ok()
}
