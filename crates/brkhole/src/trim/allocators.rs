//! What allocators offer to have them give back what they keep free: what is called, and how.

use ptmalloc::Allocator;

/// What an allocator offers.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Offer {
    /// As reports say it.
    pub(super) called: &'static str,
    /// What its code may call it; the first that there is.
    pub(super) symbols: &'static [&'static str],
    /// A text whose address is the first argument.
    pub(super) text: &'static [u8],
    /// The other arguments.
    pub(super) arguments: &'static [u64],
    /// Whether it returns an error's number, or 0.
    pub(super) returns_error: bool,
    /// Whether it gives back only what the thread that calls it keeps, so that each has to.
    pub(super) by_each_thread: bool,
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
    text: &[],
    arguments: &[0],
    returns_error: false,
    by_each_thread: false,
};

/// `MALLCTL_ARENAS_ALL` is 4096, since jemalloc 5.0.
///
/// # References
/// jemalloc(3), `arena.<i>.purge`
const JEMALLOC: Offer = Offer {
    called: "mallctl(\"arena.4096.purge\")",
    symbols: &["mallctl", "je_mallctl"],
    text: b"arena.4096.purge\0",
    arguments: &[0; 4],
    returns_error: true,
    by_each_thread: false,
};

/// # References
/// gperftools `src/gperftools/malloc_extension_c.h`
const TCMALLOC: Offer = Offer {
    called: "MallocExtension_ReleaseFreeMemory",
    symbols: &["MallocExtension_ReleaseFreeMemory"],
    text: &[],
    arguments: &[],
    returns_error: false,
    by_each_thread: false,
};

/// Each thread has a heap of its own. With `force`, what it has in pages is given back at once.
///
/// # References
/// mimalloc 2.0, `src/heap.c`, `mi_heap_collect_ex`
const MIMALLOC: Offer = Offer {
    called: "mi_collect",
    symbols: &["mi_collect"],
    text: &[],
    arguments: &[1],
    returns_error: false,
    by_each_thread: true,
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
