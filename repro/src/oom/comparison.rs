//! One figure of each arm per metric.

use super::results::{OomArm, OomResults, OomRow, RunEnd, budget};
use crate::arm::{CONTROL, HOLE};
use heap_meter::experiment::Unit;
use heap_meter::statistics::median;
use std::collections::BTreeMap;

pub(super) const FIT: &str = "locations_that_fit";
pub(super) const COST: &str = "memory_per_location";
const ARITHMETIC: &str = "budget_over_cost";
const RELOAD: &str = "locations_that_survive_a_reload";

/// A row per metric that every arm has.
pub(super) fn rows(results: &OomResults) -> Vec<OomRow> {
    let budget = budget(results);
    let rows = [
        row(results, FIT, "locations that fit", Unit::Count, |arm| {
            let all = arm.loads.runs.iter().all(|run| run.ending == RunEnd::Done);
            Some((fit(arm)?, all))
        }),
        row(results, COST, "memory per location", Unit::Bytes, |arm| {
            Some((cost(arm)?, false))
        }),
        row(
            results,
            ARITHMETIC,
            "budget ÷ memory per location",
            Unit::Count,
            |arm| Some((budget / cost(arm)?, false)),
        ),
        row(
            results,
            RELOAD,
            "locations that survive a reload",
            Unit::Count,
            |arm| {
                let reload = arm.reload.as_ref()?;
                let never_failed = reload.fails_locations.is_none();
                Some((reload.survives_locations as f64, never_failed))
            },
        ),
    ];
    rows.into_iter().flatten().collect()
}

fn fit(arm: &OomArm) -> Option<f64> {
    let runs = arm.loads.runs.iter();
    median(&runs.map(|run| run.locations as f64).collect::<Vec<_>>())
}

fn cost(arm: &OomArm) -> Option<f64> {
    let runs = arm.loads.runs.iter();
    median(
        &runs
            .filter_map(|run| run.bytes_per_location)
            .collect::<Vec<_>>(),
    )
}

/// `figure` gives an arm's figure, and whether that is the least it may be.
fn row(
    results: &OomResults,
    metric: &str,
    title: &str,
    unit: Unit,
    figure: impl Fn(&OomArm) -> Option<(f64, bool)>,
) -> Option<OomRow> {
    let mut arms = BTreeMap::new();
    let mut at_least = Vec::new();
    for arm in &results.arms {
        let (value, least) = figure(arm)?;
        arms.insert(arm.loads.name.clone(), value);
        if least {
            at_least.push(arm.loads.name.clone());
        }
    }
    let ratio = arms.get(HOLE).zip(arms.get(CONTROL));
    Some(OomRow {
        metric: metric.to_owned(),
        title: title.to_owned(),
        unit,
        at_least,
        ratio: ratio.map(|(hole, control)| hole / control),
        arms,
    })
}
