//! malloc's way out when the break won't grow.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::after_refusal::{AfterRefusal, Means};
use memory_event::{Event, Sink};

/// Counts fallbacks and their sizes, over all processes and threads.
///
/// In JSON: `{"count":2,"bytes":2097152,"sizes":{"1048576":2}}`.
///
/// glibc's malloc asks for more break; refused, it maps anonymous memory instead and goes on. Seen
/// from outside that is a refused `brk` and, as the same thread's next memory call, an `mmap` of
/// private anonymous read-write memory wherever the kernel likes.
///
/// # References
/// glibc `malloc/malloc.c`, `sysmalloc` and `sysmalloc_mmap_fallback`: units of 1 MiB up to 2.34
/// and from 2.38 on; in between the first is 1 MiB, the others are 132 KiB
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fallback {
    count: u64,
    bytes: u64,
    sizes: BTreeMap<u64, u64>,
    /// Fallbacks of a size that found no place in `sizes` any more.
    #[serde(default, skip_serializing_if = "is_zero")]
    other_sizes: u64,
    #[serde(skip)]
    refused_brks: u64,
    #[serde(skip)]
    after_refusal: AfterRefusal,
}

/// A block that falls back is smaller than malloc's mmap threshold (at most 32 MiB), so whole
/// pages give a few thousand sizes at most, and real programs show one or two.
const MOST_SIZES: usize = 4096;

impl Fallback {
    /// How many fallbacks were seen.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Bytes that they mapped.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Size in bytes → how often; the first 4,096 sizes.
    pub fn sizes(&self) -> &BTreeMap<u64, u64> {
        &self.sizes
    }

    /// `brk`s that asked for growth or anything else and were refused.
    pub fn refused_brks(&self) -> u64 {
        self.refused_brks
    }

    /// Refused `brk`s that no such `mmap` followed: memory was refused altogether (RLIMIT_DATA),
    /// or it wasn't malloc that asked.
    pub fn without_mmap(&self) -> u64 {
        self.refused_brks - self.count
    }

    fn counted(&mut self, bytes: u64) {
        self.count += 1;
        self.bytes = self.bytes.saturating_add(bytes);
        if self.sizes.len() < MOST_SIZES || self.sizes.contains_key(&bytes) {
            *self.sizes.entry(bytes).or_default() += 1;
        } else {
            self.other_sizes += 1;
        }
    }
}

impl Sink for Fallback {
    fn take(&mut self, event: &Event) {
        match self.after_refusal.take(event) {
            Means::Refused => self.refused_brks += 1,
            Means::Fallback(bytes) => self.counted(bytes),
            Means::Nothing => {}
        }
    }
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

#[cfg(test)]
mod tests;
