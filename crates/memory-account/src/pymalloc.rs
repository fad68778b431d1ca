//! Memory of CPython's small-object allocator.
//!
//! It has arenas of 1 MiB (256 KiB until 3.9), divided into pools of 16 KiB (a page), and each pool
//! begins with a header whose fields follow from each other: the size of the pool's blocks tells
//! where the last of them begins, and no more can be in use than fit.
//!
//! # References
//! CPython 3.11, `Objects/obmalloc.c`: `struct pool_header`, `POOL_OVERHEAD`, `NUMBLOCKS`

use std::ops::Range;

use proc_memory::word;

use super::row::Kind;
use super::space::Space;

const HEADER_BYTES: u64 = 48;
const ALIGNMENT_BYTES: u64 = 16;
/// `NB_SMALL_SIZE_CLASSES`: blocks of 16 to 512 bytes.
const CLASSES: u64 = 32;
/// Since 3.10, and before.
const POOL_BYTES: [u64; 2] = [16 << 10, 4 << 10];
/// Fewer pools than this prove nothing.
const LEAST_POOLS: u32 = 4;

/// Claims all pools.
pub(super) fn claim(space: &mut Space<'_>) {
    if !space.has_file(&["python3", "libpython3"]) {
        return;
    }
    for pool_bytes in POOL_BYTES {
        let unclaimed = space.unclaimed();
        let places = space.resident_multiples(&unclaimed, pool_bytes);
        // Neighbours together; and how much of them all is in use.
        let (mut runs, mut count, mut in_use) = (Vec::<Range<u64>>::new(), 0, 0);
        space.heads(&places, HEADER_BYTES as usize, |at, head| {
            let Some(used) = used(head, at, pool_bytes) else { return };
            count += 1;
            in_use += used;
            match runs.last_mut().filter(|run| run.end == at) {
                Some(run) => run.end += pool_bytes,
                None => runs.push(at..at + pool_bytes),
            }
        });
        if count < LEAST_POOLS {
            continue;
        }
        let evidence = "headers of its pools, in which all fields fit together";
        let row = space.row(Kind::Runtime, "Python's objects (pymalloc)", evidence);
        for run in runs {
            space.claim(run, row);
        }
        space.is_used(row, in_use);
        space.is_free(row, 0, Some(0));
        return;
    }
}

/// Bytes in use of what may be a pool, if it is one.
fn used(head: &[u8], at: u64, pool_bytes: u64) -> Option<u64> {
    let count = word(head, 0) & 0xffff_ffff;
    let free_block = word(head, 8);
    let (class, next, last) =
        (word(head, 32) >> 32, word(head, 40) & 0xffff_ffff, word(head, 40) >> 32);
    let size = (class + 1) * ALIGNMENT_BYTES;
    let is_within = |offset: u64| (HEADER_BYTES..=pool_bytes).contains(&offset);
    let fits = class < CLASSES
        && last == pool_bytes - size
        && count <= (pool_bytes - HEADER_BYTES) / size
        && is_within(next)
        && (next - HEADER_BYTES).is_multiple_of(size)
        && (free_block == 0 || is_within(free_block.wrapping_sub(at)));
    fits.then(|| count * size)
}
