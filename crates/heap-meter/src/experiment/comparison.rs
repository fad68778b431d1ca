//! One figure per metric and arm, and how the arms' figures relate.

use super::results::{ArmResults, Comparison, Run, Unit};
use crate::statistics::{Interval, RatioOfMedians, median};
use std::collections::BTreeMap;
use std::fmt;

/// Reads a metric's value from a run.
type Value<R> = Box<dyn Fn(&R) -> Option<f64> + Send + Sync>;

/// A figure that each run has, by name.
#[non_exhaustive]
pub struct Metric<R = Run> {
    /// For programs: `time_per_location`.
    pub name: String,
    /// For people: `time per location`.
    pub title: String,
    /// What it counts.
    pub unit: Unit,
    value: Value<R>,
}

impl Metric {
    /// A metric that `value` reads from a run; `None` where the run doesn't have it.
    pub fn new(
        name: &str,
        title: &str,
        unit: Unit,
        value: impl Fn(&Run) -> Option<f64> + Send + Sync + 'static,
    ) -> Self {
        Self::of(name, title, unit, value)
    }
}

impl<R> Metric<R> {
    /// As [`new`](Metric::new), of runs of any type.
    pub fn of(
        name: &str,
        title: &str,
        unit: Unit,
        value: impl Fn(&R) -> Option<f64> + Send + Sync + 'static,
    ) -> Self {
        Self { name: name.to_owned(), title: title.to_owned(), unit, value: Box::new(value) }
    }

    /// Its value in each run of an arm that has it.
    pub fn values(&self, arm: &ArmResults<R>) -> Vec<f64> {
        arm.runs.iter().filter_map(|run| (self.value)(run)).collect()
    }
}

impl<R> fmt::Debug for Metric<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metric")
            .field("name", &self.name)
            .field("unit", &self.unit)
            .finish_non_exhaustive()
    }
}

/// Compares the first arm with each other one. A metric that either arm lacks is left out.
pub fn compare<R>(metrics: &[Metric<R>], arms: &[ArmResults<R>]) -> Vec<Comparison> {
    let Some((control, others)) = arms.split_first() else {
        return Vec::new();
    };
    let mut comparisons = Vec::new();
    for other in others {
        for metric in metrics {
            let control_values = metric.values(control);
            let other_values = metric.values(other);
            let (Some(control_median), Some(other_median)) =
                (median(&control_values), median(&other_values))
            else {
                continue;
            };
            let ratio = RatioOfMedians::of(&control_values, &other_values);
            comparisons.push(Comparison {
                metric: metric.name.clone(),
                title: metric.title.clone(),
                unit: metric.unit,
                control: control_median,
                other: BTreeMap::from([(other.name.clone(), other_median)]),
                ratio: ratio.ratio,
                ratio_ci95: match ratio.interval {
                    Interval::Known { low, high } => Some([low, high]),
                    _ => None,
                },
            });
        }
    }
    comparisons
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arm(name: &str, seconds: &[f64]) -> ArmResults {
        let run = |&wall_seconds: &f64| Run { wall_seconds, ..Run::default() };
        ArmResults {
            name: name.to_owned(),
            runs: seconds.iter().map(run).collect(),
            void_runs: Vec::new(),
        }
    }

    fn wall() -> Metric {
        Metric::new("wall", "wall time", Unit::Seconds, |run| Some(run.wall_seconds))
    }

    #[test]
    fn each_arm_is_held_against_the_first() {
        let arms = [
            arm("control", &[2.0, 1.0, 3.0]),
            arm("hole", &[4.0, 4.0, 4.0]),
            arm("shared", &[1.0, 1.0, 1.0]),
        ];
        let compared = compare(&[wall()], &arms);
        assert_eq!(compared[0].other_name(), "hole");
        assert_eq!(compared[0].ratio, Some(2.0));
        assert_eq!(compared[1].other_name(), "shared");
        assert_eq!(compared[1].ratio, Some(0.5));
    }

    #[test]
    fn the_json_has_the_arms_name_as_key_and_comes_back() {
        let arms = [arm("control", &[1.0]), arm("hole", &[2.0])];
        let json = serde_json::to_value(&compare(&[wall()], &arms)[0]).unwrap();
        assert_eq!(json["hole"], 2.0);
        assert_eq!(json["ratio_ci95"], serde_json::Value::Null, "one run is no sample");
        let back: Comparison = serde_json::from_value(json).unwrap();
        assert_eq!((back.other_name(), back.other()), ("hole", 2.0));
    }

    #[test]
    fn a_metric_that_no_run_has_is_left_out() {
        let none = Metric::new("none", "none", Unit::Count, |_| None);
        let arms = [arm("control", &[1.0]), arm("hole", &[2.0])];
        assert!(compare(&[none], &arms).is_empty());
    }
}
