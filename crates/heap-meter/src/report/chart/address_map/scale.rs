//! From addresses to places: one stretch of addresses to scale, or several with gaps between them.

use std::ops::Range;

use heap_growth::LOW_END;

/// Pixels between two stretches, where addresses are left out.
const GAP: f64 = 22.0;

/// What lies closer than this is in one stretch, unless there would be too many.
const NEAR_BYTES: u64 = 16 << 30;

/// So many stretches at most: each has its addresses written below it.
const STRETCHES: usize = 4;

/// The ends of a stretch are round.
const ROUND_BYTES: u64 = 1 << 20;

/// Addresses that are drawn to scale, and where.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Stretch {
    pub(super) addresses: Range<u64>,
    pub(super) left: f64,
    pub(super) right: f64,
}

impl Stretch {
    /// Where an address is; `None` if it isn't in this stretch.
    pub(super) fn place(&self, address: u64) -> Option<f64> {
        if !self.addresses.contains(&address) {
            return None;
        }
        let share = (address - self.addresses.start) as f64 / self.length_bytes() as f64;
        Some(self.left + share * (self.right - self.left))
    }

    pub(super) fn length_bytes(&self) -> u64 {
        self.addresses.end - self.addresses.start
    }
}

/// The low 2 GiB alone.
pub(super) fn low(left: f64, right: f64) -> Stretch {
    Stretch { addresses: 0..LOW_END, left, right }
}

/// All that is used, in rising order and of equal widths: the low 2 GiB first and whole, if
/// anything of it is used or nothing is used at all.
/// `used` is in rising order.
pub(super) fn whole(
    used: impl Iterator<Item = Range<u64>> + Clone,
    left: f64,
    right: f64,
) -> Vec<Stretch> {
    let mut near_bytes = NEAR_BYTES;
    let mut stretches = clustered(used.clone(), near_bytes);
    while stretches.len() > STRETCHES {
        near_bytes = near_bytes.saturating_mul(2);
        stretches = clustered(used.clone(), near_bytes);
    }
    let count = stretches.len() as f64;
    let width = (right - left - GAP * (count - 1.0)) / count;
    let placed = stretches.into_iter().enumerate().map(|(number, addresses)| {
        let left = left + number as f64 * (width + GAP);
        Stretch { addresses, left, right: left + width }
    });
    placed.collect()
}

fn clustered(used: impl Iterator<Item = Range<u64>> + Clone, near_bytes: u64) -> Vec<Range<u64>> {
    let low = 0..LOW_END;
    let mut clusters = Vec::new();
    // In rising order: if the first isn't there, none is.
    if used.clone().next().is_none_or(|first| low.contains(&first.start)) {
        clusters.push(low);
    }
    for range in used {
        let start = range.start.max(LOW_END) / ROUND_BYTES * ROUND_BYTES;
        let end = range.end.checked_next_multiple_of(ROUND_BYTES);
        let end = end.unwrap_or(u64::MAX);
        if range.end <= LOW_END {
            continue;
        }
        match clusters.last_mut() {
            // The low 2 GiB are of a fixed size: the enlarged strip shows them.
            Some(last) if last.start >= LOW_END && start.saturating_sub(last.end) <= near_bytes => {
                last.end = last.end.max(end);
            }
            _ => clusters.push(start..end),
        }
    }
    clusters
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_near_is_in_one_stretch() {
        let used = [
            0x40_0000..0x50_0000,
            0x5555_5555_4000..0x5555_5557_5000,
            0x5555_6000_0000..0x5555_6100_0000,
            0x7fff_f7c0_0000..0x7fff_f7e0_0000,
        ];
        let stretches = whole(used.iter().cloned(), 0.0, 844.0);
        let addresses: Vec<_> = stretches.iter().map(|at| at.addresses.clone()).collect();
        assert_eq!(
            addresses,
            [
                0..0x8000_0000,
                0x5555_5550_0000..0x5555_6100_0000,
                0x7fff_f7c0_0000..0x7fff_f7e0_0000,
            ]
        );
        // Three of equal width with two gaps of 22 pixels.
        assert_eq!((stretches[0].left, stretches[0].right), (0.0, 800.0 / 3.0));
        assert_eq!(stretches[2].right, 844.0);
        assert_eq!(stretches[0].place(0x4000_0000), Some(400.0 / 3.0));
        assert_eq!(stretches[0].place(0x8000_0000), None);
    }

    #[test]
    fn there_are_few_stretches_however_scattered_it_is() {
        let used = (1..100_u64).map(|n| n << 40..(n << 40) + 4096);
        let stretches = whole(used, 0.0, 900.0);
        assert!(stretches.len() <= STRETCHES, "{}", stretches.len());
        assert!(stretches.windows(2).all(|two| two[0].right < two[1].left));
        let last = stretches.last().unwrap();
        assert!(last.place((99 << 40) + 1).is_some());
    }

    #[test]
    fn nothing_above_is_one_stretch() {
        let stretches = whole(std::iter::once(0x1000..0x2000), 10.0, 110.0);
        assert_eq!(stretches, [low(10.0, 110.0)]);
    }
}
