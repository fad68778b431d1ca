//! Calls of several threads that are told in another order than that in which they took effect.
//!
//! One thread unmaps a range; before that is told, the kernel gives the range to another thread,
//! whose mmap is told first. An mmap without `MAP_FIXED` never replaces anything, so where it seems
//! to, an munmap has been overtaken: when that is told, it concerns what was there before, not the
//! new mapping.

use std::ops::Range;

use super::ranges::Ranges;

/// So many are remembered: more than there are threads in the midst of an munmap.
const MOST: usize = 256;

/// Ranges whose munmap hasn't been told yet.
#[derive(Clone, Debug, Default)]
pub(super) struct Overtaken(Vec<Range<u64>>);

impl Overtaken {
    /// A new mapping was given this range, in which something was thought to be.
    pub(super) fn by(&mut self, range: &Range<u64>, known: &Ranges) {
        self.0.extend(known.within(range));
        if self.0.len() > MOST {
            self.0.drain(..self.0.len() - MOST);
        }
    }

    /// Whether all has been told.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The parts of an unmapped range that it is still about.
    pub(super) fn still_to_unmap(&mut self, range: Range<u64>) -> Vec<Range<u64>> {
        let mut left = vec![range];
        self.0.retain(|overtaken| {
            let apart =
                |part: &Range<u64>| part.end <= overtaken.start || overtaken.end <= part.start;
            if left.iter().all(apart) {
                return true;
            }
            let mut is_told = false;
            left = left
                .drain(..)
                .flat_map(|part| {
                    let common = part.start.max(overtaken.start)..part.end.min(overtaken.end);
                    if common.is_empty() {
                        return vec![part];
                    }
                    is_told = true;
                    vec![part.start..common.start, common.end..part.end]
                })
                .filter(|part| !part.is_empty())
                .collect();
            !is_told
        });
        left
    }
}
