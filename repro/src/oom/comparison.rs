//! One figure of each arm per metric.

use super::results::{OomArm, OomResults, OomRow, RunEnd, budget};
use crate::arm::{CONTROL, HOLE};
use heap_meter::experiment::Unit;
use std::collections::BTreeMap;

pub(super) const FIT: &str = "locations_that_fit";
pub(super) const COST: &str = "memory_per_location";
const ARITHMETIC: &str = "budget_over_cost";
const RELOAD: &str = "locations_that_survive_a_reload";

/// A row per metric that every arm has.
pub(super) fn rows(results: &OomResults) -> Vec<OomRow> {
    let budget = budget(results);
    let fits = row(results, FIT, "locations that fit", Unit::Count, |arm| {
        let all = arm.loads.runs.iter().all(|run| run.ending == RunEnd::Done);
        Some((fit(arm)?, all))
    });
    let costs = row(results, COST, "memory per location", Unit::Bytes, |arm| {
        Some((cost(arm)?, false))
    });
    let title = "budget ÷ memory per location";
    let arithmetic = row(results, ARITHMETIC, title, Unit::Count, |arm| {
        Some((budget / cost(arm)?, false))
    });
    let title = "locations that survive a reload";
    let reloads = row(results, RELOAD, title, Unit::Count, |arm| {
        let reload = arm.reload.as_ref()?;
        let never_failed = reload.fails_locations.is_none();
        Some((reload.survives_locations as f64, never_failed))
    });
    [fits, costs, arithmetic, reloads]
        .into_iter()
        .flatten()
        .collect()
}

fn fit(arm: &OomArm) -> Option<f64> {
    arm.median(|run| Some(run.locations as f64))
}

fn cost(arm: &OomArm) -> Option<f64> {
    arm.median(|run| run.bytes_per_location)
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
