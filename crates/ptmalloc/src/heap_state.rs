//! What was found in one process: whose malloc it has, and what glibc's malloc keeps.

use std::ops::Range;
use std::path::PathBuf;

use proc_memory::hexadecimal;
use serde::{Deserialize, Serialize};

use super::allocator::Allocator;
use super::error::Unknown;
use super::runs::Runs;

/// glibc's malloc in one process. Every figure is verified; what couldn't be is `None`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct HeapState {
    /// Whether the main arena takes its memory elsewhere than at the break: glibc gave up on it.
    pub non_contiguous: bool,
    /// What all arenas together have from the kernel; blocks with a mapping of their own are not
    /// in it: what `mallinfo2(3)` calls `arena`.
    pub system_bytes: u64,
    /// Blocks with a mapping of their own; `None` if they aren't known.
    #[serde(default)]
    pub mmapped: Option<Mmapped>,
    /// Why not.
    #[serde(default)]
    pub mmapped_unknown: Option<String>,
    /// Free in all arenas, the tops included. `None` if one arena's isn't known.
    pub free_bytes: Option<u64>,
    /// Resident whole pages within free memory that `malloc_trim(0)` would give back. `None` if one
    /// arena's isn't known.
    pub returnable_bytes: Option<u64>,
    /// What is free and resident and would stay after `malloc_trim(0)`; a restart alone gives it
    /// back. `None` if one arena's isn't known.
    #[serde(default)]
    pub pinned_bytes: Option<u64>,
    /// By how much `[heap]` goes on above the main arena's top, where the top lies at the break:
    /// memory that isn't malloc's. 0 where it is known that there is none, and where it can't be
    /// told.
    #[serde(default)]
    pub beyond_top_bytes: u64,
    /// The arenas, the main one first.
    pub arenas: Vec<Arena>,
}

impl HeapState {
    /// All that malloc has from the kernel: its arenas, and blocks with a mapping of their own.
    /// `None` if those aren't known.
    pub fn total_bytes(&self) -> Option<u64> {
        let mmapped = self.mmapped?;
        Some(self.system_bytes.saturating_add(mmapped.bytes))
    }

    /// Runs of free memory in all arenas whose free memory is known.
    pub fn runs(&self) -> Runs {
        let arenas = self.arenas.iter().filter_map(|arena| Some(arena.free?.runs));
        arenas.fold(Runs::default(), Runs::plus)
    }
}

/// Blocks that each have a mapping of their own, outside all arenas: those above malloc's mmap
/// threshold. As malloc counts them itself, in words that are read once.
///
/// # References
/// mallopt(3), `M_MMAP_THRESHOLD`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Mmapped {
    /// How many: `mallinfo2(3)` calls it `hblks`.
    pub count: u64,
    /// Bytes of their mappings: `hblkhd`.
    pub bytes: u64,
}

impl Mmapped {
    /// So many, of so many bytes together.
    pub fn new(count: u64, bytes: u64) -> Self {
        Self { count, bytes }
    }
}

/// One arena.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Arena {
    /// Where its `malloc_state` is.
    #[serde(with = "hexadecimal")]
    pub address: u64,
    /// Whether it is the main arena, which alone uses the break.
    pub main: bool,
    /// Whether its lock was held when it was read.
    pub locked: bool,
    /// What it has from the kernel.
    pub system_bytes: u64,
    /// Where it lies, in rising order: the heaps of a thread's arena, the main arena's part of
    /// `[heap]`. Empty if that isn't known, and without what the main arena took by mmap.
    #[serde(skip)]
    pub heaps: Vec<Range<u64>>,
    /// What is free in it; `None` if it isn't known.
    pub free: Option<Free>,
    /// Why not.
    pub unknown: Option<String>,
}

/// Free memory of an arena, by where malloc keeps it. Chunks in threads' caches count as in use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Free {
    /// Chunks in the bins and fast bins, the top not included.
    pub chunks: u64,
    /// In fast bins.
    pub fast_bytes: u64,
    /// In the unsorted bin.
    pub unsorted_bytes: u64,
    /// In small bins.
    pub small_bytes: u64,
    /// In large bins.
    pub large_bytes: u64,
    /// The top, the free end of the arena.
    pub top_bytes: u64,
    /// Of all that is free, what is resident: whole pages, and the parts of pages that lie beside
    /// chunks in use.
    #[serde(default)]
    pub resident_bytes: u64,
    /// Resident whole pages that `malloc_trim(0)` would give back.
    pub returnable_bytes: u64,
    /// Resident whole pages that the kernel refuses to take back from there on: locked into memory
    /// (mlock(2)), or behind such in the same chunk.
    #[serde(default)]
    pub locked_bytes: u64,
    /// The same for being pages of hugetlbfs (`glibc.malloc.hugetlb=2`), which the kernel counts as
    /// nobody's resident memory.
    #[serde(default)]
    pub huge_bytes: u64,
    /// How it lies.
    #[serde(default)]
    pub runs: Runs,
}

impl Free {
    /// All of it: what `mallinfo2(3)` calls `fordblks`.
    pub fn total_bytes(&self) -> u64 {
        self.fast_bytes + self.unsorted_bytes + self.small_bytes + self.large_bytes + self.top_bytes
    }

    /// What is free and resident and would stay so: it shares its pages with chunks in use, or is
    /// the top of a thread's arena, or locked.
    pub fn pinned_bytes(&self) -> u64 {
        self.resident_bytes.saturating_sub(self.returnable_bytes)
    }
}

/// What was found in one process.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Examination {
    /// Whose malloc it is: which one is called by that name. `None` if nothing known was recognised.
    pub allocator: Option<Allocator>,
    /// Other allocators that are mapped too (a preloaded jemalloc beside glibc, …).
    pub others: Vec<Allocator>,
    /// The state of glibc's, also where that is used beside another; or why it isn't known.
    pub state: Result<HeapState, Unknown>,
    /// The library or program that glibc's malloc is in, if it was found; as the process sees it:
    /// below its own root directory.
    pub library: Option<PathBuf>,
}

impl Examination {
    pub(super) fn unknown(why: Unknown) -> Self {
        Self::of(Vec::new(), Err(why))
    }

    /// Without glibc's malloc: the first of the others is the process's.
    pub(super) fn of(mut others: Vec<Allocator>, state: Result<HeapState, Unknown>) -> Self {
        let allocator = (!others.is_empty()).then(|| others.remove(0));
        Self { allocator, others, state, library: None }
    }

    /// With it; but one that isn't used is not the process's, nor is one that stands behind another
    /// whose malloc is `called`. Where none is known to be used, it may be one that isn't known here (a
    /// sanitizer's, glibc's own libc_malloc_debug.so).
    pub(super) fn glibc(
        allocator: Allocator,
        called: Option<Allocator>,
        mut others: Vec<Allocator>,
        state: Result<HeapState, Unknown>,
        library: PathBuf,
    ) -> Self {
        let unused = matches!(state, Err(Unknown::Other(_)));
        let called = called.or_else(|| others.first().filter(|_| unused).cloned());
        others.retain(|other| Some(other) != called.as_ref());
        let is_used = called.is_none() && !matches!(state, Err(Unknown::NotUsed));
        let allocator = match is_used {
            true => Some(allocator),
            false => {
                others.push(allocator);
                called
            }
        };
        Self { allocator, others, state, library: Some(library) }
    }

    /// The state of malloc, where that is glibc's.
    pub fn malloc(&self) -> Option<&HeapState> {
        let is_glibcs = matches!(self.allocator, Some(Allocator::Glibc { .. }));
        self.state.as_ref().ok().filter(|_| is_glibcs)
    }
}
