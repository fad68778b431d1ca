//! Go's heap: arenas from the address on at which the runtime asks for them.
//!
//! # References
//! Go 1.11 to 1.25, `src/runtime/malloc.go`, `mallocinit` (hints of the form 0x00c0…)

use super::row::Kind;
use super::space::Space;

/// Where the first one is asked for, and where the last ones could be.
const ARENAS: std::ops::Range<u64> = 0xc0_0000_0000..0xc1_0000_0000;

/// Claims them, in a program that has Go's runtime.
pub(super) fn claim(space: &mut Space<'_>) {
    let heaps = space.unclaimed();
    let heaps: Vec<_> = heaps.into_iter().filter(|gap| ARENAS.contains(&gap.start)).collect();
    if heaps.is_empty() {
        return;
    }
    let evidence = "the addresses that Go's runtime asks for, in a program that has it";
    let row = space.row(Kind::Runtime, "Go's heap", evidence);
    for heap in heaps {
        space.claim(heap, row);
    }
}
