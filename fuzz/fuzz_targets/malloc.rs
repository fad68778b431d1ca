//! Any bytes can be looked at as a process's memory: whatever seems to be an arena in them, nothing
//! panics, everything ends, and no arena has more free than it has.
#![no_main]

use ptmalloc::arenas_in;
use libfuzzer_sys::fuzz_target;

/// An arena's own words and some pages of chunks.
const LONGEST_INPUT: usize = 64 * 1024;

fuzz_target!(|memory: &[u8]| {
    if memory.len() <= LONGEST_INPUT {
        let _ = arenas_in(memory);
    }
});
