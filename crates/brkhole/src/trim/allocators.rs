//! What allocators offer to have them give back what they keep free: what is called, and how.

use ptmalloc::Allocator;
use remote_call::Argument::{self, Data, Value};

use super::statistics::{NAME, Statistics, VALUE, VALUE_BYTES};

/// What an allocator offers.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Offer {
    /// As reports say it.
    pub(super) called: &'static str,
    /// What its code may call it; the first that there is.
    pub(super) symbols: &'static [&'static str],
    /// What its arguments may point to.
    pub(super) data: &'static [u8],
    pub(super) arguments: &'static [Argument],
    /// Whether it returns an error's number, or 0.
    pub(super) returns_error: bool,
    /// Whether it gives back only what the thread that calls it keeps, so that each has to.
    pub(super) by_each_thread: bool,
    /// What it tells of itself. `None` where a call of six arguments gets nothing.
    pub(super) statistics: Option<Statistics>,
}

impl Offer {
    /// Whether it isn't glibc's, whose lists can be followed before it is called.
    pub(super) fn is_anothers(&self) -> bool {
        *self != GLIBC
    }
}

/// # References
/// malloc_trim(3)
pub(super) const GLIBC: Offer = Offer {
    called: "malloc_trim",
    symbols: &["malloc_trim"],
    data: &[],
    arguments: &[Value(0)],
    returns_error: false,
    by_each_thread: false,
    statistics: None,
};

/// `MALLCTL_ARENAS_ALL` is 4096, since jemalloc 5.0.
///
/// # References
/// jemalloc(3), `arena.<i>.purge`, `epoch`, `stats.allocated`, `stats.arenas.<i>.pdirty`
const JEMALLOC: Offer = Offer {
    called: "mallctl(\"arena.4096.purge\")",
    symbols: &["mallctl", "je_mallctl"],
    data: b"arena.4096.purge\0",
    arguments: &[Data(0), Value(0), Value(0), Value(0), Value(0)],
    returns_error: true,
    by_each_thread: false,
    statistics: Some(Statistics {
        symbols: &["mallctl", "je_mallctl"],
        arguments: &[NAME, VALUE, VALUE_BYTES, Value(0), Value(0)],
        returns_error: true,
        refresh: Some(("epoch", &[NAME, Value(0), Value(0), VALUE, Value(8)])),
        allocated: "stats.allocated",
        resident: "stats.resident",
        returnable: &["stats.arenas.4096.pdirty", "stats.arenas.4096.pmuzzy"],
        unit: Some("arenas.page"),
    }),
};

/// # References
/// gperftools `src/gperftools/malloc_extension.h`, `malloc_extension_c.h`
const TCMALLOC: Offer = Offer {
    called: "MallocExtension_ReleaseFreeMemory",
    symbols: &["MallocExtension_ReleaseFreeMemory"],
    data: &[],
    arguments: &[],
    returns_error: false,
    by_each_thread: false,
    statistics: Some(Statistics {
        symbols: &["MallocExtension_GetNumericProperty"],
        arguments: &[NAME, VALUE],
        returns_error: false,
        refresh: None,
        allocated: "generic.current_allocated_bytes",
        resident: "generic.total_physical_bytes",
        returnable: &["tcmalloc.pageheap_free_bytes"],
        unit: None,
    }),
};

/// Each thread has a heap of its own. With `force`, what it has in pages is given back at once.
///
/// # References
/// mimalloc 2.0, `src/heap.c`, `mi_heap_collect_ex`
const MIMALLOC: Offer = Offer {
    called: "mi_collect",
    symbols: &["mi_collect"],
    data: &[],
    arguments: &[Value(1)],
    returns_error: false,
    by_each_thread: true,
    // `mi_process_info` has eight arguments, and tells only what is committed.
    statistics: None,
};

/// What there is to call; `None` for those that offer nothing.
pub(super) fn offer(allocator: &Allocator) -> Option<&'static Offer> {
    match allocator {
        Allocator::Glibc { .. } => Some(&GLIBC),
        Allocator::Jemalloc => Some(&JEMALLOC),
        Allocator::Tcmalloc => Some(&TCMALLOC),
        Allocator::Mimalloc => Some(&MIMALLOC),
        _ => None,
    }
}
