//! Many blocks of malloc, held together.
//!
//! # Safety
//!
//! `unsafe` is needed to take blocks from malloc itself and to write into them.
#![allow(unsafe_code)]

use std::ptr;

/// Blocks of malloc that each hold the address of the block before, so that no list of them takes
/// memory beside them.
pub(crate) struct Chain {
    last: *mut Link,
}

struct Link {
    before: *mut Link,
}

impl Chain {
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

impl Drop for Chain {
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
