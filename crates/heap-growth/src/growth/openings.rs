//! What the openings of one file were like, each from its open to its close.

use std::collections::BTreeMap;
use std::time::Duration;

use super::opening::Opening;

/// Openings that have ended, in constant memory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Openings {
    /// How many have ended by a close.
    pub ended: u64,
    /// At how many of those more memory was asked for than was given back.
    pub grown: u64,
    /// Bytes that were read at `read_known` of them.
    pub read_bytes: u64,
    /// At how many of them it is known what was read.
    pub read_known: u64,
    /// How long the file was the one being read, in all, on the source's clock.
    pub time: Duration,
    /// From the first open to the last close.
    pub span: Duration,
    /// Number of bits of the growth → how often, and the bytes of those together.
    growth: BTreeMap<u32, (u64, u64)>,
}

impl Openings {
    pub(super) fn ended(&mut self, opening: &Opening) {
        let grown_bytes = u64::try_from(opening.grown_bytes()).unwrap_or(0);
        self.ended += 1;
        self.grown += u64::from(grown_bytes > 0);
        if let Some(bytes) = opening.read_bytes {
            self.read_known += 1;
            self.read_bytes = self.read_bytes.saturating_add(bytes);
        }
        self.time = self.time.saturating_add(opening.time);
        let (count, sum) = self.growth.entry(u64::BITS - grown_bytes.leading_zeros()).or_default();
        *count += 1;
        *sum = sum.saturating_add(grown_bytes);
    }

    /// By how much memory grew at a typical one: the mean of those that lie within a factor of 2
    /// around the median.
    pub fn median_bytes(&self) -> u64 {
        let mut below = 0;
        for (count, sum) in self.growth.values() {
            below += count;
            if 2 * below >= self.ended {
                return sum / count;
            }
        }
        0
    }

    /// Bytes that were read each time, where that is known.
    pub fn mean_read_bytes(&self) -> Option<u64> {
        self.read_bytes.checked_div(self.read_known)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::growth::memory::Change;
    use crate::growth::opening::OpeningsByOne;
    use crate::growth::reading::FilesBeingRead;

    fn of(grown: impl IntoIterator<Item = u64>) -> (Openings, OpeningsByOne) {
        let (mut openings, mut by_one) = (Openings::default(), OpeningsByOne::default());
        let mut reading = FilesBeingRead::default();
        for asked_bytes in grown {
            reading.count(0);
            reading.opened(1, 3, 0, Duration::ZERO);
            let change = Change { asked_bytes, ..Change::default() };
            reading.changed(1, &change);
            let opening = reading.closed(3, Duration::ZERO).unwrap();
            openings.ended(&opening);
            by_one = opening.by_one;
        }
        (openings, by_one)
    }

    #[test]
    fn a_great_first_one_is_not_typical() {
        let (first, by_one) = of(std::iter::once(2 << 20).chain([0; 59]));
        assert_eq!((first.ended, first.grown, first.median_bytes()), (60, 1, 0));
        assert!(!by_one.most_grew());
        let (all, by_one) = of([800 * 1024; 101]);
        assert_eq!(all.median_bytes(), 800 * 1024);
        assert!(by_one.most_grew());
    }

    #[test]
    fn most_is_more_than_half_and_then_the_median_is_more_than_nothing() {
        for opens in 1..20 {
            for grown in 0..=opens {
                let sizes = (0..opens).map(|number| if number < grown { 4096 } else { 0 });
                let (openings, by_one) = of(sizes);
                assert_eq!(by_one.opens, opens);
                assert_eq!(by_one.most_grew(), 2 * grown > opens);
                assert_eq!(openings.median_bytes() > 0, 2 * grown > opens);
            }
        }
        assert_eq!(Openings::default().median_bytes(), 0);
    }
}
