//! The raw data.

use super::flags::Flags;
use super::run::Run;
use super::{INSPECTIONS, Results, THREADS};
use crate::repository;
use heap_meter::environment::Environment;
use heap_meter::statistics::{Interval, RatioOfMedians};
use serde_json::{Value, json};

/// Everything, as text.
///
/// # Errors
///
/// When it can't be told what made it.
pub fn of(results: &Results, flags: &Flags, environment: &Environment) -> anyhow::Result<String> {
    let runs = |runs: &[Run]| runs.iter().map(Run::to_json).collect::<Vec<_>>();
    let run = json!({
        "experiment": "disturbance",
        "environment": environment,
        "parameters": {
            "threads": THREADS,
            "cpu_seconds": flags.cpu_seconds,
            "repeats": flags.repeats,
            "least_inspections": INSPECTIONS,
        },
        "arms": [
            { "name": "alone", "runs": runs(&results.alone) },
            { "name": "inspected", "runs": runs(&results.inspected) },
        ],
        "operations_per_cpu_second": ratio(&results.ratio(Run::per_cpu_second)),
        "operations_per_wall_second": ratio(&results.ratio(Run::per_wall_second)),
        "faults": results.faults(),
        "recorded": repository::recorded()?,
    });
    let mut text = serde_json::to_string_pretty(&run)?;
    text.push('\n');
    Ok(text)
}

fn ratio(ratio: &RatioOfMedians) -> Value {
    let interval = match ratio.interval {
        Interval::Known { low, high } => Some([low, high]),
        _ => None,
    };
    json!({ "ratio": ratio.ratio, "ratio_ci95": interval })
}
