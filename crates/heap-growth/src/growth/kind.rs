//! Ways in which private writable memory comes to a process.
//!
//! One of them is wanted below 2 GiB: a LuaJIT with 32-bit GC pointers can't use any other for its own
//! objects. It asks with
//! `MAP_32BIT`, which Linux serves from the second GiB; once that fails, it probes with low
//! addresses as hints, and gives back at once what it was given elsewhere.
//!
//! # References
//! mmap(2), `MAP_32BIT`; `arch/x86/kernel/sys_x86_64.c`, `find_start_end`; LuaJIT 2.1
//! `src/lj_alloc.c`, `mmap_map32` and `mmap_probe` (`LJ_ALLOC_MBITS` is 31)

use std::ops::{AddAssign, Index, IndexMut, Range};

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

/// A way in which private writable memory came to a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
#[non_exhaustive]
pub enum GrowthKind {
    /// The break moved up.
    Break,
    /// malloc's mmap in place of a refused break.
    Fallback,
    /// An anonymous mmap of 128 KiB or more, as malloc makes it for a block above its threshold.
    /// From outside the mmaps of a program, of its runtime, of another malloc, and of a glibc that
    /// doesn't use the break at all look the same.
    LargeBlock,
    /// The heap of a thread's arena: part of a reservation that became writable.
    Arena,
    /// Memory that was asked for below 2 GiB, by `MAP_32BIT` or by a low address as hint, and that
    /// lies there: a LuaJIT with 32-bit GC pointers takes its own in this way.
    LowMemory,
    /// Thread stacks: `MAP_STACK`, or a reservation of which all but a guard at its lower end
    /// became writable.
    Stack,
    /// Anything else: libraries' data, small mmaps.
    Other,
    /// What was there before the program asked for anything, or before the watching began. It can
    /// only shrink.
    Earlier,
}

impl GrowthKind {
    /// All of them, in the order of reports.
    pub const ALL: [Self; 8] = [
        Self::Break,
        Self::Fallback,
        Self::LargeBlock,
        Self::Arena,
        Self::LowMemory,
        Self::Stack,
        Self::Other,
        Self::Earlier,
    ];

    /// Its name in JSON and CSV.
    pub const fn name(self) -> &'static str {
        self.names().0
    }

    /// Its name for people.
    pub const fn title(self) -> &'static str {
        self.names().1
    }

    const fn names(self) -> (&'static str, &'static str) {
        match self {
            Self::Break => ("break", "break"),
            Self::Fallback => ("fallback", "fallback"),
            Self::LargeBlock => ("large_block", "large mappings"),
            Self::Arena => ("arena", "thread arenas"),
            Self::LowMemory => ("low_memory", "low 2 GiB"),
            Self::Stack => ("stack", "thread stacks"),
            Self::Other => ("other", "other"),
            Self::Earlier => ("earlier", "there before"),
        }
    }
}

/// Bytes of each kind. Below zero: more was given back than had been asked for.
///
/// In JSON: `{"break":135168,"fallback":0,…}`; `earlier` only if some of it was given back. Sums stop
/// at the greatest number there is, which no machine's memory reaches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ByKind([i64; GrowthKind::ALL.len()]);

impl ByKind {
    /// Bytes of all kinds together.
    pub fn total(&self) -> i64 {
        self.0.iter().fold(0, |sum, bytes| sum.saturating_add(*bytes))
    }

    /// Each kind with its bytes.
    pub fn iter(&self) -> impl Iterator<Item = (GrowthKind, i64)> {
        GrowthKind::ALL.into_iter().map(|kind| (kind, self[kind]))
    }
}

impl Index<GrowthKind> for ByKind {
    type Output = i64;

    fn index(&self, kind: GrowthKind) -> &i64 {
        &self.0[kind as usize]
    }
}

impl IndexMut<GrowthKind> for ByKind {
    fn index_mut(&mut self, kind: GrowthKind) -> &mut i64 {
        &mut self.0[kind as usize]
    }
}

impl AddAssign<&Self> for ByKind {
    fn add_assign(&mut self, other: &Self) {
        for (mine, others) in self.0.iter_mut().zip(&other.0) {
            *mine = mine.saturating_add(*others);
        }
    }
}

impl Serialize for ByKind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for (kind, bytes) in self.iter() {
            if kind != GrowthKind::Earlier || bytes != 0 {
                map.serialize_entry(kind.name(), &bytes)?;
            }
        }
        map.end()
    }
}

/// The first address that a signed 32-bit number can't hold.
pub const LOW_END: u64 = 1 << 31;

/// On x86-64 alone; elsewhere the bit has no meaning, and nobody sets it.
///
/// # References
/// `arch/x86/include/uapi/asm/mman.h`
pub(crate) const MAP_32BIT: i32 = 0x40;

/// Whether all of it lies there.
pub(crate) fn lies_low(range: &Range<u64>) -> bool {
    !range.is_empty() && range.end <= LOW_END
}

/// Whether an mmap that the kernel may place where it likes asks for low addresses.
pub(crate) fn wants_low(hint: u64, flags: u64) -> bool {
    flags & MAP_32BIT as u64 != 0 || (1..LOW_END).contains(&hint)
}

/// Whether it asked for them, and got some.
pub(super) fn got_low(hint: u64, flags: u64, got: &Range<u64>) -> bool {
    wants_low(hint, flags) && lies_low(got)
}
