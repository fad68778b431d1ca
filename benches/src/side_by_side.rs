//! Programs that do the same, taking turns.
//!
//! Every round runs each arm once, and the order turns from round to round, so that whatever else
//! the machine does falls on all arms alike. The first round warms up and is thrown away.
//!
//! Arms are compared round by round, for runs that follow each other meet the same machine: the
//! ratio of two arms is the median of their ratios in each round, and its interval is bootstrapped
//! from those. On a busy machine that is far steadier than the ratio of the arms' medians.

use std::collections::BTreeMap;
use std::fmt;

use heap_meter::experiment::order;
use heap_meter::statistics::{Interval, RatioOfMedians, median};
use serde::Serialize;
use serde_json::Value;

type Run<'a> = Box<dyn FnMut() -> anyhow::Result<f64> + 'a>;

/// Arms to be run side by side, and what is to be compared.
pub struct Contest<'a> {
    /// As far as it is known before.
    outcome: PairOutcome,
    /// One for each of its arms.
    runs: Vec<Run<'a>>,
}

/// Between what a ratio has to lie.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct RatioLimits {
    pub at_least: f64,
    pub at_most: f64,
}

/// What a run consists of.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Per {
    /// One of it, in a word: `location`, `watched call`.
    pub unit: String,
    /// How many a run has.
    pub count: f64,
    /// The arm whose time is taken off first: the time per unit is then what comes on top of it.
    pub above: Option<String>,
}

/// What was measured.
#[derive(Clone, Debug, Default, Serialize)]
pub struct PairOutcome {
    pub name: String,
    pub parameters: BTreeMap<String, Value>,
    pub per: Option<Per>,
    /// The arms in their order, with every run.
    pub arms: Vec<Times>,
    pub comparisons: Vec<Versus>,
}

/// The runs of one arm.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Times {
    pub name: &'static str,
    /// Seconds of each run, in the order in which they were made.
    pub seconds: Vec<f64>,
    pub median_seconds: f64,
    /// The median per unit; `None` for an arm that others stand on.
    pub seconds_per_unit: Option<f64>,
}

/// One arm over another.
#[derive(Clone, Debug, Serialize)]
pub struct Versus {
    pub control: &'static str,
    pub other: &'static str,
    /// The median of the rounds' ratios; `None` when a time was 0.
    pub ratio: Option<f64>,
    /// Its bootstrap 95 % interval, or null for fewer than three runs.
    pub ratio_ci95: Interval,
    pub required: Option<RatioLimits>,
    /// Whether it is as required; `None` when nothing is.
    pub met: Option<bool>,
}

impl<'a> Contest<'a> {
    pub fn new(name: impl Into<String>) -> Self {
        let outcome = PairOutcome { name: name.into(), ..PairOutcome::default() };
        Self { outcome, runs: Vec::new() }
    }

    pub fn name(&self) -> &str {
        &self.outcome.name
    }

    #[must_use]
    pub fn parameter(mut self, name: &str, value: impl Into<Value>) -> Self {
        let parameters = &mut self.outcome.parameters;
        parameters.insert(name.to_owned(), value.into());
        self
    }

    /// Has times told per unit as well.
    #[must_use]
    pub fn per(mut self, unit: &str, count: f64, above: Option<&str>) -> Self {
        self.outcome.per =
            Some(Per { unit: unit.to_owned(), count, above: above.map(str::to_owned) });
        self
    }

    #[must_use]
    pub fn arm(
        mut self,
        name: &'static str,
        run: impl FnMut() -> anyhow::Result<f64> + 'a,
    ) -> Self {
        let times = Times { name, ..Times::default() };
        self.outcome.arms.push(times);
        self.runs.push(Box::new(run));
        self
    }

    /// Has the ratio `other` / `control` told.
    #[must_use]
    pub fn compare(self, control: &'static str, other: &'static str) -> Self {
        self.pair(control, other, None)
    }

    /// As [`compare`](Self::compare), and the ratio has to lie within limits.
    #[must_use]
    pub fn require(self, control: &'static str, other: &'static str, limits: RatioLimits) -> Self {
        self.pair(control, other, Some(limits))
    }

    fn pair(
        mut self,
        control: &'static str,
        other: &'static str,
        required: Option<RatioLimits>,
    ) -> Self {
        self.outcome.comparisons.push(Versus {
            control,
            other,
            ratio: None,
            ratio_ci95: Interval::TooFewRuns { runs: 0 },
            required,
            met: None,
        });
        self
    }

    /// Runs every arm once to warm up, and then `rounds` times.
    ///
    /// # Errors
    /// The first error of an arm.
    pub fn run(mut self, rounds: usize) -> anyhow::Result<PairOutcome> {
        for run in &mut self.runs {
            run()?;
        }
        for round in (0..).take(rounds) {
            for index in order(self.runs.len(), round) {
                let seconds = &mut self.outcome.arms[index].seconds;
                seconds.push(self.runs[index]()?);
            }
        }
        self.outcome.compare();
        Ok(self.outcome)
    }
}

impl PairOutcome {
    /// Works out medians and ratios.
    fn compare(&mut self) {
        for arm in &mut self.arms {
            arm.median_seconds = median(&arm.seconds).unwrap_or(f64::NAN);
        }
        let arms = self.arms.clone();
        let arm = |name: &str| {
            let found = arms.iter().find(|arm| arm.name == name);
            found.expect("it is one of the arms")
        };
        if let Some(per) = &self.per {
            let others =
                (self.arms.iter_mut()).filter(|one| per.above.as_deref() != Some(one.name));
            for one in others {
                let base = per.above.as_ref().map_or(0.0, |base| arm(base).median_seconds);
                one.seconds_per_unit = Some((one.median_seconds - base) / per.count);
            }
        }
        for versus in &mut self.comparisons {
            let found = paired(&arm(versus.control).seconds, &arm(versus.other).seconds);
            let hold = |limits: RatioLimits| found.ratio.is_some_and(|ratio| limits.hold(ratio));
            versus.met = versus.required.map(hold);
            versus.ratio = found.ratio;
            versus.ratio_ci95 = found.interval;
        }
    }
}

/// The median of the rounds' ratios, and its interval.
fn paired(control: &[f64], other: &[f64]) -> RatioOfMedians {
    let rounds = control.iter().zip(other);
    let ratios: Vec<f64> = rounds.map(|(control, other)| other / control).collect();
    RatioOfMedians::of(&vec![1.0; ratios.len()], &ratios)
}

impl RatioLimits {
    /// From 1 − `share` to 1 + `share`.
    pub fn within(share: f64) -> Self {
        Self { at_least: 1.0 - share, at_most: 1.0 + share }
    }

    /// Up to this ratio; smaller is better.
    pub fn at_most(ratio: f64) -> Self {
        Self { at_least: 0.0, at_most: ratio }
    }

    fn hold(self, ratio: f64) -> bool {
        (self.at_least..=self.at_most).contains(&ratio)
    }
}

impl fmt::Display for RatioLimits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.at_least == 0.0 {
            write!(f, "at most {:.2}", self.at_most)
        } else {
            write!(f, "{:.2} to {:.2}", self.at_least, self.at_most)
        }
    }
}

impl fmt::Display for Versus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} / {}: ", self.other, self.control)?;
        match self.ratio {
            Some(ratio) => write!(f, "{ratio:.3}")?,
            None => f.write_str("no ratio")?,
        }
        match self.ratio_ci95.bounds() {
            Some([low, high]) => write!(f, " (95 %: {low:.3}–{high:.3})")?,
            None => write!(f, " (no interval: {})", self.ratio_ci95)?,
        }
        let (Some(limits), Some(met)) = (self.required, self.met) else {
            return Ok(());
        };
        let verdict = if met { "met" } else { "NOT MET" };
        write!(f, "; required {limits}: {verdict}")?;
        let doubtful = self.ratio_ci95.bounds().is_some_and(|bounds| {
            let sides = bounds.map(|end| limits.hold(end));
            sides.contains(&!met)
        });
        if doubtful {
            f.write_str(", but the interval reaches across the limit: run it on an idle machine")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::RefCell;

    #[test]
    fn arms_take_turns_after_one_round_to_warm_up() {
        let order = RefCell::new(String::new());
        let arm = |letter: char| {
            let order = &order;
            move || {
                order.borrow_mut().push(letter);
                Ok(1.0)
            }
        };
        let contest = Contest::new("turns").arm("a", arm('a')).arm("b", arm('b'));
        let outcome = contest.run(3).unwrap();
        assert_eq!(*order.borrow(), "ababbaab");
        assert_eq!(outcome.arms[1].seconds, [1.0; 3]);
    }

    #[test]
    fn ratios_and_times_per_unit_by_hand() {
        let outcome = Contest::new("by hand")
            .per("call", 10.0, Some("bare"))
            .arm("bare", || Ok(1.0))
            .arm("slow", || Ok(3.0))
            .arm("fast", || Ok(2.0))
            .compare("bare", "slow")
            .require("slow", "fast", RatioLimits::at_most(1.0))
            .require("slow", "fast", RatioLimits::within(0.03))
            .run(3)
            .unwrap();
        let per_unit: Vec<_> = outcome.arms.iter().map(|arm| arm.seconds_per_unit).collect();
        assert_eq!(per_unit, [None, Some(0.2), Some(0.1)]);
        let [plain, met, missed] = &outcome.comparisons[..] else { panic!("three comparisons") };
        assert_eq!((plain.ratio, plain.met), (Some(3.0), None));
        assert_eq!(met.met, Some(true));
        assert_eq!(missed.met, Some(false));
        assert_eq!(
            missed.to_string(),
            "fast / slow: 0.667 (95 %: 0.667–0.667); required 0.97 to 1.03: NOT MET"
        );
    }

    #[test]
    fn a_machine_that_grows_slower_slows_both_and_moves_no_ratio() {
        let ratio = paired(&[1.0, 2.0, 4.0], &[2.0, 4.0, 8.0]);
        assert_eq!(ratio.ratio, Some(2.0));
        assert_eq!(ratio.interval.bounds(), Some([2.0, 2.0]));
        assert_eq!(paired(&[0.0; 3], &[1.0; 3]).ratio, None);
    }

    #[test]
    fn a_verdict_within_the_noise_says_so() {
        let noisy = |values: [f64; 4]| {
            let mut values = values.into_iter();
            move || Ok(values.next().expect("one run to warm up and three rounds"))
        };
        let outcome = Contest::new("noise")
            .arm("a", noisy([1.0, 1.0, 1.0, 1.0]))
            .arm("b", noisy([1.0, 0.9, 0.99, 1.2]))
            .require("a", "b", RatioLimits::at_most(1.0))
            .run(3)
            .unwrap();
        let text = outcome.comparisons[0].to_string();
        assert!(text.contains(": met, but the interval reaches"), "{text}");
    }

    #[test]
    fn an_arm_that_fails_ends_the_contest() {
        let failing = Contest::new("failing").arm("a", || anyhow::bail!("no strace"));
        assert_eq!(failing.run(1).unwrap_err().to_string(), "no strace");
    }
}
