//! glibc's malloc, used by itself: many blocks held together, and malloc_trim(3).
//!
//! # Safety
//!
//! `unsafe` is needed to take blocks from malloc itself, to write into them, and to call
//! malloc_trim(3).
#![allow(unsafe_code)]

use std::ptr;

/// Blocks of malloc that each hold the address of the block before, so that no list of them takes
/// memory beside them.
pub(crate) struct MallocBlocks {
    last: *mut Link,
}

struct Link {
    before: *mut Link,
}

impl MallocBlocks {
    /// Takes the blocks and writes every byte of them; `None` when malloc has no more.
    pub(crate) fn take(blocks: u64, block_bytes: usize) -> Option<Self> {
        let mut chain = Self {
            last: ptr::null_mut(),
        };
        for _ in 0..blocks {
            // SAFETY: any size may be asked for.
            let block = unsafe { libc::malloc(block_bytes) };
            if block.is_null() {
                return None;
            }
            // SAFETY: malloc gave `block_bytes` bytes there, and nobody else has them.
            unsafe { block.cast::<u8>().write_bytes(0xA5, block_bytes) };
            let link = block.cast::<Link>();
            // SAFETY: at least 16 bytes (the flag's range), aligned to 16 by malloc.
            unsafe { link.write(Link { before: chain.last }) };
            chain.last = link;
        }
        Some(chain)
    }
}

impl Drop for MallocBlocks {
    fn drop(&mut self) {
        while !self.last.is_null() {
            let freed = self.last;
            // SAFETY: `freed` is a block that `take` linked and that is not freed yet.
            self.last = unsafe { (*freed).before };
            // SAFETY: as above; its link has been read, and nothing points to it any more.
            unsafe { libc::free(freed.cast()) };
        }
    }
}

/// Has malloc give back what it can, at the top and inside. glibc only; elsewhere nothing happens.
///
/// # References
///
/// malloc_trim(3); glibc `malloc/malloc.c`, `mtrim`: whole free pages are given back with madvise,
/// in every arena, since 2.8.
pub(crate) fn malloc_trim() {
    #[cfg(target_env = "gnu")]
    // SAFETY: takes malloc's own locks; may be called at any time.
    unsafe {
        libc::malloc_trim(0);
    }
}
