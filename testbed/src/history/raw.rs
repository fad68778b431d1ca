//! The raw data.

use super::measured::{CONTROL, Figure, HOLE, Measured, peak_rss_bytes, rss_bytes, seconds};
use super::{Parameters, Report, work};
use crate::repository;
use anyhow::Context;
use heap_meter::environment::Environment;
use heap_meter::experiment::Run;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// How the figures of a work are made of its runs.
const METHOD: [(&str, &str); 5] = [
    (
        "runs",
        "brkhole compare, in the release's root: time and memory of a run without stops, fallbacks \
         and brk calls of another that was traced",
    ),
    (
        "rss_bytes, peak_rss_bytes, wall_seconds",
        "median over the runs; rss_bytes as the command ended, its memory still there",
    ),
    (
        "fallback",
        "of the run whose count of fallbacks is the median",
    ),
    (
        "seconds_per_context",
        "(wall_seconds of held - wall_seconds of one) / (contexts - 1)",
    ),
    (
        "rss_bytes_per_context",
        "(rss_bytes of held - rss_bytes of one) / (contexts - 1)",
    ),
];

/// Everything so far.
///
/// # Errors
///
/// When it can't be told what made it.
pub fn of(parameters: &Parameters, bundle: &[u8], reports: &[Report]) -> anyhow::Result<Value> {
    let certificates = String::from_utf8_lossy(bundle)
        .matches("-----BEGIN CERTIFICATE-----")
        .count();
    let releases: Vec<Value> = reports.iter().map(release).collect();
    Ok(json!({
        "experiment": "history",
        "environment": Environment::here(),
        "parameters": {
            "contexts": parameters.locations,
            "repeats": parameters.repeats,
            "blocks": work::BLOCKS,
            "block_bytes": work::BLOCK_BYTES,
            "bundle": { "bytes": bundle.len(), "certificates": certificates },
        },
        "method": BTreeMap::from(METHOD),
        "releases": releases,
        "recorded": repository::recorded()?,
    }))
}

/// Writes it to `history.json` in this directory.
///
/// # Errors
///
/// When it can't be written.
pub fn write(directory: &Path, run: &Value) -> anyhow::Result<()> {
    let mut text = serde_json::to_string_pretty(run)?;
    text.push('\n');
    let path = directory.join("history.json");
    fs::create_dir_all(directory).with_context(|| directory.display().to_string())?;
    fs::write(&path, text).with_context(|| path.display().to_string())
}

fn release(report: &Report) -> Value {
    let faults = report.faults.iter().map(ToString::to_string);
    let mut json = json!({
        "name": report.release.name(),
        "faults": faults.collect::<Vec<_>>(),
    });
    for (name, version) in &report.versions {
        json[*name] = json!(version);
    }
    for measured in &report.works {
        json[measured.work.name] = json!({
            CONTROL: arm(measured, CONTROL),
            HOLE: arm(measured, HOLE),
        });
    }
    json
}

fn arm(measured: &Measured, arm: &str) -> Value {
    let mut json = json!({});
    for (at, results) in measured.work.steps.iter().zip(&measured.results) {
        let figure = |figure: Figure| measured.median(at.name, arm, figure);
        let typical = measured.typical(at.name, arm);
        json[at.name] = json!({
            "command": at.words.join(" "),
            "wall_seconds": figure(seconds),
            "rss_bytes": figure(rss_bytes),
            "peak_rss_bytes": figure(peak_rss_bytes),
            "fallback": typical.map(|run| &run.fallback),
            "notes": results.notes,
            "runs": measured.runs(at.name, arm).iter().map(run).collect::<Vec<_>>(),
        });
    }
    if let Some(cost) = measured.cost(arm) {
        json["seconds_per_context"] = json!(cost.seconds);
        json["rss_bytes_per_context"] = json!(cost.rss_bytes);
    }
    json
}

/// What is kept of one.
fn run(run: &Run) -> Value {
    let (brk, end) = (run.syscall("brk"), run.checkpoint("end"));
    json!({
        "wall_seconds": run.wall_seconds,
        "rss_bytes": end.map(|end| end.snapshot.rss_bytes),
        "peak_rss_bytes": end.map(|end| end.snapshot.peak_rss_bytes),
        "brk_calls": brk.map(|brk| brk.calls),
        "brk_refused": brk.map(|brk| brk.failed),
        "fallback": run.fallback,
    })
}
