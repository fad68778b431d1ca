//! One figure of each arm per metric.

use super::{ARITHMETIC, COST, FIT, RELOAD, budget};
use crate::arm::{CONTROL, HOLE};
use crate::oom::results::{Arm, Ending, Results, Row, Run};
use heap_meter::experiment::Unit;
use heap_meter::statistics::median;
use std::collections::BTreeMap;

/// A row per metric that every arm has.
pub(in crate::oom) fn comparison(results: &Results) -> Vec<Row> {
    let budget = budget(results);
    let of_runs = |value: fn(&Run) -> Option<f64>| {
        move |arm: &Arm| median(&arm.runs.iter().filter_map(value).collect::<Vec<_>>())
    };
    let fit = of_runs(|run| Some(run.locations as f64));
    let cost = of_runs(|run| run.bytes_per_location);
    let reached = |arm: &Arm| arm.runs.iter().all(|run| run.ending == Ending::Done);
    let survives = |arm: &Arm| Some(arm.reload.as_ref()?.survives_locations as f64);
    let never_failed = |arm: &Arm| {
        arm.reload
            .as_ref()
            .is_some_and(|reload| reload.fails_locations.is_none())
    };
    let rows = [
        row(
            results,
            (FIT, "locations that fit"),
            Unit::Count,
            &fit,
            &reached,
        ),
        row(
            results,
            (COST, "memory per location"),
            Unit::Bytes,
            &cost,
            &|_| false,
        ),
        row(
            results,
            (ARITHMETIC, "budget ÷ memory per location"),
            Unit::Count,
            &|arm| Some(budget / cost(arm)?),
            &|_| false,
        ),
        row(
            results,
            (RELOAD, "locations that survive a reload"),
            Unit::Count,
            &survives,
            &never_failed,
        ),
    ];
    rows.into_iter().flatten().collect()
}

fn row(
    results: &Results,
    (metric, title): (&'static str, &'static str),
    unit: Unit,
    value: &dyn Fn(&Arm) -> Option<f64>,
    at_least: &dyn Fn(&Arm) -> bool,
) -> Option<Row> {
    let arms: Option<BTreeMap<&'static str, f64>> = results
        .arms
        .iter()
        .map(|arm| Some((arm.name, value(arm)?)))
        .collect();
    let arms = arms?;
    let ratio = arms.get(HOLE).zip(arms.get(CONTROL));
    let least = results.arms.iter().filter(|arm| at_least(arm));
    Some(Row {
        metric,
        title,
        unit,
        at_least: least.map(|arm| arm.name).collect(),
        ratio: ratio.map(|(hole, control)| hole / control),
        arms,
    })
}
