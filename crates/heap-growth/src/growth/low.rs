//! Memory that a program wants below 2 GiB.
//!
//! A LuaJIT with 32-bit GC pointers can't use any other for its own objects. It asks with
//! `MAP_32BIT`, which Linux serves from the second GiB; once that fails, it probes with low
//! addresses as hints, and gives back at once what it was given elsewhere.
//!
//! # References
//! mmap(2), `MAP_32BIT`; `arch/x86/kernel/sys_x86_64.c`, `find_start_end`; LuaJIT 2.1
//! `src/lj_alloc.c`, `mmap_map32` and `mmap_probe` (`LJ_ALLOC_MBITS` is 31)

use std::ops::Range;

/// The first address that a signed 32-bit number can't hold.
pub const LOW_END: u64 = 1 << 31;

/// On x86-64 alone; elsewhere the bit has no meaning, and nobody sets it.
///
/// # References
/// `arch/x86/include/uapi/asm/mman.h`
pub(crate) const MAP_32BIT: i32 = 0x40;

/// Whether all of it lies there.
pub(crate) fn lies_in(range: &Range<u64>) -> bool {
    !range.is_empty() && range.end <= LOW_END
}

/// Whether an mmap that the kernel may place where it likes asks for low addresses.
pub(crate) fn wanted(hint: u64, flags: u64) -> bool {
    flags & MAP_32BIT as u64 != 0 || (1..LOW_END).contains(&hint)
}

/// Whether it asked for them, and got some.
pub(super) fn asked_for(hint: u64, flags: u64, got: &Range<u64>) -> bool {
    wanted(hint, flags) && lies_in(got)
}
