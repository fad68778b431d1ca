//! The raw results, as they are kept: each step with the break free and with it blocked.

use super::workload::{FREED, HELD, ONE, TRIMMED, Workload, WorkloadStep};
use crate::testbed::Versions;
use heap_growth::Fallback;
use heap_meter::experiment::{Results, Run};
use heap_meter::statistics::median;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// The break is left free.
pub const CONTROL: &str = "control";

/// The break is blocked.
pub const HOLE: &str = "hole";

#[derive(Debug, Serialize)]
pub struct History {
    pub method: BTreeMap<String, String>,
    pub parameters: Value,
    pub releases: Vec<ReleaseFigures>,
}

/// One release: what it has, what was measured, and what is wrong with it.
#[derive(Debug, Serialize)]
pub struct ReleaseFigures {
    pub name: String,
    pub faults: Vec<String>,
    #[serde(flatten)]
    pub versions: Versions,
    #[serde(flatten)]
    pub workloads: BTreeMap<String, WorkloadFigures>,
}

/// A workload in both arms.
#[derive(Debug, Serialize, Deserialize)]
pub struct WorkloadFigures {
    pub control: ArmFigures,
    pub hole: ArmFigures,
}

/// The steps that the workload has, and what a context costs beyond the first, if it has any.
#[derive(Debug, Serialize, Deserialize)]
pub struct ArmFigures {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub one: Option<StepFigures>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub held: Option<StepFigures>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub freed: Option<StepFigures>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trimmed: Option<StepFigures>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seconds_per_context: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rss_bytes_per_context: Option<f64>,
}

/// The medians of a step's runs.
#[derive(Debug, Serialize, Deserialize)]
pub struct StepFigures {
    pub command: String,
    pub wall_seconds: Option<f64>,
    pub rss_bytes: Option<f64>,
    pub peak_rss_bytes: Option<f64>,
    pub fallback: Option<Fallback>,
    pub notes: Vec<String>,
    pub runs: Vec<RunFigures>,
}

/// What is kept of one run.
#[derive(Debug, Serialize, Deserialize)]
pub struct RunFigures {
    wall_seconds: f64,
    rss_bytes: Option<u64>,
    peak_rss_bytes: Option<u64>,
    brk_calls: Option<u64>,
    brk_refused: Option<u64>,
    fallback: Option<Fallback>,
}

impl ReleaseFigures {
    pub fn new(name: &str, versions: Versions) -> Self {
        Self {
            name: name.to_owned(),
            faults: Vec::new(),
            versions,
            workloads: BTreeMap::new(),
        }
    }
}

impl WorkloadFigures {
    /// Of one comparison for each of its steps, in their order.
    pub fn of(workload: &Workload, results: &[Results]) -> Self {
        Self {
            control: ArmFigures::of(workload, results, CONTROL),
            hole: ArmFigures::of(workload, results, HOLE),
        }
    }
}

impl ArmFigures {
    fn of(workload: &Workload, results: &[Results], arm: &str) -> Self {
        let step = |name| {
            let mut steps = workload.steps.iter().zip(results);
            let (step, results) = steps.find(|(step, _)| step.name == name)?;
            Some(StepFigures::of(step, results, arm))
        };
        let (one, held) = (step(ONE), step(HELD));
        let per_context = |figure: fn(&StepFigures) -> Option<f64>| {
            let further = workload.contexts?.checked_sub(1)?;
            let difference = figure(held.as_ref()?)? - figure(one.as_ref()?)?;
            Some(difference / f64::from(further))
        };
        Self {
            seconds_per_context: per_context(|step| step.wall_seconds),
            rss_bytes_per_context: per_context(|step| step.rss_bytes),
            one,
            held,
            freed: step(FREED),
            trimmed: step(TRIMMED),
        }
    }
}

impl StepFigures {
    fn of(step: &WorkloadStep, results: &Results, arm: &str) -> Self {
        let runs = runs(results, arm);
        let middle = |figure: fn(&Run) -> Option<f64>| {
            median(&runs.iter().filter_map(figure).collect::<Vec<_>>())
        };
        // They all have the same count of fallbacks, unless the program's own memory isn't the same
        // in every run.
        let mut sorted: Vec<&Run> = runs.iter().collect();
        sorted.sort_by_key(|run| run.fallback.as_ref().map(Fallback::count));
        let typical = sorted.get(sorted.len().saturating_sub(1) / 2);
        Self {
            command: step.words.join(" "),
            wall_seconds: middle(|run| Some(run.wall_seconds)),
            rss_bytes: middle(|run| Some(run.checkpoint("end")?.snapshot.rss_bytes as f64)),
            peak_rss_bytes: middle(|run| Some(run.peak_rss_bytes()? as f64)),
            fallback: typical.and_then(|run| run.fallback.clone()),
            notes: results.notes.clone(),
            runs: runs.iter().map(RunFigures::of).collect(),
        }
    }
}

impl RunFigures {
    fn of(run: &Run) -> Self {
        let (brk, end) = (run.syscall("brk"), run.checkpoint("end"));
        Self {
            wall_seconds: run.wall_seconds,
            rss_bytes: end.map(|end| end.snapshot.rss_bytes),
            peak_rss_bytes: end.map(|end| end.snapshot.peak_rss_bytes),
            brk_calls: brk.map(|brk| brk.calls),
            brk_refused: brk.map(|brk| brk.failed),
            fallback: run.fallback.clone(),
        }
    }
}

pub fn runs<'a>(results: &'a Results, arm: &str) -> &'a [Run] {
    results.arm(arm).map_or(&[], |arm| &arm.runs)
}
