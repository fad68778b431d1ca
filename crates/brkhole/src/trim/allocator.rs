//! Programs whose malloc isn't glibc's: what to do instead.

use ptmalloc::Allocator;

/// Why `malloc_trim` is of no use, and what is; `None` for glibc.
pub(super) fn refusal(allocator: &Allocator) -> Option<String> {
    let instead = match allocator {
        Allocator::Glibc { .. } => return None,
        Allocator::Jemalloc => {
            "jemalloc gives memory back by itself after a while, sooner with \
             MALLOC_CONF=background_thread:true,dirty_decay_ms:1000 in its environment (restart it)"
        }
        Allocator::Tcmalloc => {
            "tcmalloc gives memory back when the program calls MallocExtension's ReleaseFreeMemory, \
             or slowly by itself with TCMALLOC_RELEASE_RATE in its environment (restart it)"
        }
        Allocator::Mimalloc => {
            "mimalloc gives memory back by itself, sooner with MIMALLOC_PURGE_DELAY=0 in its \
             environment (restart it)"
        }
        Allocator::Musl => "musl's malloc gives memory back as soon as a group of blocks is free",
        Allocator::Go => {
            "Go gives memory back by itself; GOMEMLIMIT in its environment (restart it) sets how \
             much it may have, and the program can call debug.FreeOSMemory"
        }
        _ => "see its manual for how it gives memory back",
    };
    Some(format!(
        "its malloc is {allocator}, and malloc_trim is glibc's, so there is nothing to call; \
         {instead}"
    ))
}
