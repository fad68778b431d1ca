//! What is known of the process that a finding is about.

use crate::finding::Finding;
use human_text::Bytes;
use proc_memory::BreakState;
use ptmalloc::{Arena, HeapState};

/// A heap of this size is worth being told of.
pub(super) const LARGE_BYTES: u64 = 64 << 20;

/// A process's break, and its malloc.
pub(super) struct Case<'a> {
    pub(super) state: &'a BreakState,
    /// `None` if it isn't known, or the malloc is not glibc's.
    pub(super) malloc: Option<&'a HeapState>,
}

impl Case<'_> {
    pub(super) fn main_arena(&self) -> Option<&Arena> {
        self.malloc?.arenas.iter().find(|arena| arena.main)
    }

    /// Whether glibc's malloc has taken memory elsewhere after the break was refused to it.
    pub(super) fn has_given_up(&self) -> Option<bool> {
        self.malloc.map(|malloc| malloc.non_contiguous)
    }

    /// What the main arena has that doesn't lie at the break, as far as sizes tell.
    pub(super) fn elsewhere_bytes(&self) -> Option<u64> {
        let arena = self.main_arena()?;
        Some(arena.system_bytes.saturating_sub(self.state.segment_bytes))
    }

    /// Whether anything in the process uses the break, or will: glibc's malloc does, and so does
    /// whoever has touched memory there.
    pub(super) fn break_matters(&self) -> bool {
        self.malloc.is_some() || self.state.used != Some(false)
    }

    /// The figures that every finding on the break stands on.
    pub(super) fn with_break(&self, finding: Finding) -> Finding {
        let finding = finding
            .evidence("break", format!("{:#x}", self.state.end))
            .evidence("segment_bytes", self.state.segment_bytes)
            .evidence("room_bytes", self.state.room_bytes)
            .evidence("growable_bytes", self.state.growable_bytes);
        match self.malloc {
            Some(malloc) => finding
                .evidence("non_contiguous", malloc.non_contiguous)
                .evidence("elsewhere_bytes", self.elsewhere_bytes()),
            None => finding,
        }
    }

    /// How much glibc took elsewhere, for a sentence that says that it did.
    pub(super) fn so_far(&self) -> String {
        match self.elsewhere_bytes() {
            Some(bytes) if bytes > 0 => format!(" ({} so far)", Bytes(bytes)),
            _ => String::new(),
        }
    }
}
