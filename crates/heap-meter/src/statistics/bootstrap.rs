//! How sure the ratio of two medians is, by resampling.
//!
//! The percentile bootstrap: draw from each sample, with replacement, as many values as it has;
//! take the ratio of the medians; repeat; the middle 95 % of the ratios are the interval. It
//! assumes nothing about how the values are distributed, but it knows only the values it is given:
//! with three to five runs it is too narrow and holds the true ratio clearly less often than 95
//! times in 100. Reference: Efron and Tibshirani, "An Introduction to the Bootstrap", chapter 13.

use super::interval::Interval;
use super::quantile::{quantile_of_sorted, sorted};

/// Enough that the ends of the interval hardly depend on the seed.
const RESAMPLES: usize = 10_000;

/// Any number does; it is fixed so that a report can be made again from its raw data.
const SEED: u64 = 0x6272_6b68_6f6c_6531;

/// The median of one sample over that of another, and its 95 % interval.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct RatioOfMedians {
    /// The ratio, other to control; `None` when a sample is empty, a value is not a finite number,
    /// or the control's median is 0.
    pub ratio: Option<f64>,
    /// Where the true ratio lies with 95 % confidence, or why that cannot be said.
    pub interval: Interval,
}

impl RatioOfMedians {
    /// Compares two independent samples. The order of the values makes no difference.
    #[must_use]
    pub fn of(control: &[f64], other: &[f64]) -> Self {
        Self::resampled(control, other, RESAMPLES)
    }

    fn resampled(control: &[f64], other: &[f64], resamples: usize) -> Self {
        let unknown = |interval| Self { ratio: None, interval };
        let (Some(control), Some(other)) = (sorted(control), sorted(other)) else {
            return unknown(Interval::NotANumber);
        };
        let runs = control.len().min(other.len());
        if runs == 0 {
            return unknown(Interval::TooFewRuns { runs });
        }
        let control_median = quantile_of_sorted(&control, 0.5);
        if control_median == 0.0 {
            return unknown(Interval::ControlIsZero);
        }
        let ratio = Some(quantile_of_sorted(&other, 0.5) / control_median);
        if runs < Interval::MINIMUM_RUNS {
            return Self { ratio, interval: Interval::TooFewRuns { runs } };
        }

        let mut random = SplitMix64(SEED);
        let mut control = Resampler::new(&control);
        let mut other = Resampler::new(&other);
        let mut ratios: Vec<f64> = (0..resamples)
            .map(|_| {
                let below = control.median(&mut random);
                let above = other.median(&mut random);
                // A control that reaches 0 or changes its sign has no meaningful ratio; as an
                // infinite one it is at the upper end, where too many of them show.
                let meaningful = below != 0.0 && below.signum() == control_median.signum();
                if meaningful { above / below } else { f64::INFINITY }
            })
            .collect();
        ratios.sort_unstable_by(f64::total_cmp);
        let low = quantile_of_sorted(&ratios, 0.025);
        let high = quantile_of_sorted(&ratios, 0.975);
        let interval = if low.is_finite() && high.is_finite() {
            Interval::Known { low, high }
        } else {
            Interval::ControlIsZero
        };
        Self { ratio, interval }
    }
}

/// Draws samples from a sample, in one buffer.
struct Resampler<'a> {
    values: &'a [f64],
    /// Positions in the sorted values; sorting these sorts what was drawn.
    drawn: Vec<usize>,
}

impl<'a> Resampler<'a> {
    fn new(values: &'a [f64]) -> Self {
        Self { values, drawn: vec![0; values.len()] }
    }

    fn median(&mut self, random: &mut SplitMix64) -> f64 {
        let count = self.values.len();
        self.drawn.fill_with(|| random.below(count));
        let (lower, &mut upper, _) = self.drawn.select_nth_unstable(count / 2);
        let upper = self.values[upper];
        match lower.iter().max() {
            Some(&lower) if count.is_multiple_of(2) => self.values[lower].midpoint(upper),
            _ => upper,
        }
    }
}

/// Random numbers that are the same every time. `SplitMix64`: one addition and a mixing of bits for each number.
///
/// Good enough for resampling, and small enough to check by eye. Reference: Steele, Lea and Flood,
/// "Fast splittable pseudorandom number generators", OOPSLA 2014.
struct SplitMix64(u64);

impl SplitMix64 {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound`: the upper half of a product, off from uniform by no more than
    /// `bound` in 2^64.
    fn below(&mut self, bound: usize) -> usize {
        ((u128::from(self.next()) * bound as u128) >> 64) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bounds(control: &[f64], other: &[f64]) -> [f64; 2] {
        RatioOfMedians::of(control, other).interval.bounds().unwrap()
    }

    #[test]
    fn equal_values_leave_no_doubt() {
        let ratio = RatioOfMedians::of(&[4.0; 5], &[10.0; 4]);
        assert_eq!(ratio.ratio, Some(2.5));
        assert_eq!(ratio.interval, Interval::Known { low: 2.5, high: 2.5 });
        assert_eq!(bounds(&[4.0; 3], &[0.0; 3]), [0.0, 0.0]);
        assert_eq!(bounds(&[-4.0; 3], &[-2.0; 3]), [0.5, 0.5]);
    }

    /// A resample of three has its median at the lowest value with 7 of 27 chances (two or three
    /// draws of it) and likewise at the highest, far more than 2.5 %: the interval spans all.
    #[test]
    fn three_values_span_their_range() {
        assert_eq!(bounds(&[1.0; 3], &[1.0, 2.0, 4.0]), [1.0, 4.0]);
        assert_eq!(bounds(&[1.0, 2.0, 4.0], &[4.0; 3]), [1.0, 4.0]);
    }

    /// Nine values 1…9 against a constant: the chance that the resampled median is 2 or less is
    /// that of at least 5 of 9 draws among 2 of 9 values, 3.0 %; that of 1 is 0.1 %. So the 2.5 %
    /// point is 2, and by symmetry the 97.5 % point is 8.
    #[test]
    fn nine_values_by_hand() {
        let values: Vec<f64> = (1..=9).map(f64::from).collect();
        assert_eq!(bounds(&[1.0; 9], &values), [2.0, 8.0]);
    }

    #[test]
    fn the_same_data_give_the_same_report_in_any_order() {
        let one = RatioOfMedians::of(&[1.0, 2.0, 3.0, 4.0], &[5.0, 9.0, 7.0, 6.0]);
        let two = RatioOfMedians::of(&[4.0, 2.0, 1.0, 3.0], &[9.0, 7.0, 6.0, 5.0]);
        assert_eq!(one, two);
    }

    #[test]
    fn why_there_is_no_interval() {
        let ratio = RatioOfMedians::of(&[1.0, 3.0], &[4.0; 9]);
        assert_eq!(ratio.ratio, Some(2.0));
        assert_eq!(ratio.interval, Interval::TooFewRuns { runs: 2 });
        let of = |control: &[f64], other: &[f64]| RatioOfMedians::of(control, other);
        let nothing = |interval| RatioOfMedians { ratio: None, interval };
        assert_eq!(of(&[], &[1.0]), nothing(Interval::TooFewRuns { runs: 0 }));
        assert_eq!(of(&[0.0; 5], &[1.0; 5]), nothing(Interval::ControlIsZero));
        assert_eq!(of(&[1.0, f64::NAN, 1.0], &[1.0; 3]), nothing(Interval::NotANumber));
        assert_eq!(of(&[1.0; 3], &[f64::INFINITY; 3]), nothing(Interval::NotANumber));
        // The median is 1, but two zeros of five are the median of many a resample.
        let near_zero = of(&[0.0, 0.0, 1.0, 1.0, 1.0], &[1.0; 5]);
        assert_eq!((near_zero.ratio, near_zero.interval), (Some(1.0), Interval::ControlIsZero));
        // One zero among nine hardly ever is.
        assert!(of(&[&[0.0][..], &[1.0; 8]].concat(), &[1.0; 9]).interval.bounds().is_some());
    }

    /// 400 pairs of samples whose true ratio is 2: the interval should hold it about 95 times in
    /// 100. The margins are wide; a wrong percentile or a swapped ratio falls far outside them.
    #[test]
    fn the_interval_holds_the_true_ratio_about_as_often_as_it_says() {
        let mut random = SplitMix64(7);
        // The sum of twelve uniform numbers is nearly normal: mean 0, deviation 1.
        let mut noise = || {
            (0..12).map(|_| random.below(1 << 32) as f64 / (1_u64 << 32) as f64).sum::<f64>() - 6.0
        };
        let trials = 400;
        let held = (0..trials)
            .filter(|_| {
                let control: Vec<f64> = (0..15).map(|_| 10.0 + noise()).collect();
                let other: Vec<f64> = (0..15).map(|_| 20.0 + 3.0 * noise()).collect();
                let ratio = RatioOfMedians::resampled(&control, &other, 400);
                let [low, high] = ratio.interval.bounds().unwrap();
                (low..=high).contains(&2.0)
            })
            .count();
        let share = held as f64 / f64::from(trials);
        assert!((0.89..=0.99).contains(&share), "{share}");
    }

    #[test]
    fn the_sequence_is_the_published_one() {
        let mut random = SplitMix64(1_234_567);
        assert_eq!(random.next(), 6_457_827_717_110_365_317);
        assert_eq!(random.next(), 3_203_168_211_198_807_973);
        assert_eq!(random.next(), 9_817_491_932_198_370_423);
    }

    #[test]
    fn every_number_below_the_bound_comes_equally_often() {
        let mut random = SplitMix64(1);
        let mut counts = [0_u32; 7];
        for _ in 0..70_000 {
            counts[random.below(7)] += 1;
        }
        assert!(counts.iter().all(|count| (9_500..10_500).contains(count)), "{counts:?}");
        assert_eq!(random.below(1), 0);
    }
}
