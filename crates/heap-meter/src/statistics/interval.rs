//! An interval, or why there is none.

use std::fmt;

use human_text::counted;
use serde::{Serialize, Serializer};

/// A 95 % interval, or the reason why none can be given. In JSON it is `[low, high]` or `null`.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum Interval {
    /// It lies between these.
    Known {
        /// Lower end.
        low: f64,
        /// Upper end.
        high: f64,
    },
    /// A sample has fewer values than [`MINIMUM_RUNS`](Self::MINIMUM_RUNS).
    TooFewRuns {
        /// Values in the smaller sample.
        runs: usize,
    },
    /// The control's median is 0, or so near it that resampling reaches 0: a ratio to it says
    /// nothing.
    ControlIsZero,
    /// A value is not a finite number.
    NotANumber,
}

impl Interval {
    /// The fewest values a sample must have.
    pub const MINIMUM_RUNS: usize = 3;

    /// Both ends, if they are known.
    #[must_use]
    pub fn bounds(&self) -> Option<[f64; 2]> {
        match *self {
            Self::Known { low, high } => Some([low, high]),
            _ => None,
        }
    }
}

impl fmt::Display for Interval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Known { low, high } => f.pad(&format!("{low:.2}–{high:.2}")),
            Self::TooFewRuns { runs } => {
                let runs = counted(*runs as u64, "run", "runs");
                f.pad(&format!("{runs}, {} are needed", Self::MINIMUM_RUNS))
            }
            Self::ControlIsZero => f.pad("control is 0"),
            Self::NotANumber => f.pad("not a number"),
        }
    }
}

impl Serialize for Interval {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.bounds().serialize(serializer)
    }
}

#[cfg(test)]
mod tests {
    use super::Interval;

    #[test]
    fn json_is_a_pair_or_null() {
        let known = Interval::Known { low: 0.5, high: 2.0 };
        assert_eq!(serde_json::to_string(&known).unwrap(), "[0.5,2.0]");
        assert_eq!(serde_json::to_string(&Interval::ControlIsZero).unwrap(), "null");
    }

    #[test]
    fn people_read_the_reason() {
        assert_eq!(Interval::Known { low: 0.987, high: 1.5 }.to_string(), "0.99–1.50");
        assert_eq!(Interval::TooFewRuns { runs: 2 }.to_string(), "2 runs, 3 are needed");
    }
}
