//! The raw data: JSON, and the same figures as CSV.

use super::measured::{Measured, Run};
use super::{Parameters, Report};
use crate::repository;
use anyhow::Context;
use heap_meter::environment::Environment;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::path::Path;

/// What the figures are.
const METHOD: [(&str, &str); 3] = [
    (
        "predicted_bytes",
        "returnable_bytes of malloc, read from outside while the program stands still",
    ),
    (
        "given_back_bytes",
        "rss_bytes before - rss_bytes after the program's own malloc_trim(0)",
    ),
    ("difference_bytes", "predicted_bytes - given_back_bytes"),
];

/// Everything so far.
///
/// # Errors
///
/// When it can't be told what made it.
pub fn of(
    parameters: &Parameters,
    bundle: &[u8],
    reports: &[Report],
    notes: &[String],
) -> anyhow::Result<Value> {
    let certificates = String::from_utf8_lossy(bundle)
        .matches("-----BEGIN CERTIFICATE-----")
        .count();
    let places: Vec<Value> = reports.iter().map(place).collect();
    Ok(json!({
        "experiment": "predictions",
        "environment": Environment::here(),
        "parameters": {
            "locations": parameters.locations,
            "repeats": parameters.repeats,
            "bundle": { "bytes": bundle.len(), "certificates": certificates },
        },
        "method": BTreeMap::from(METHOD),
        "places": places,
        "notes": notes,
        "recorded": repository::recorded()?,
    }))
}

fn place(report: &Report) -> Value {
    let faults = report.faults.iter().map(ToString::to_string);
    let mut json = json!({
        "name": report.place,
        "faults": faults.collect::<Vec<_>>(),
        "programs": report.works.iter().map(program).collect::<Vec<_>>(),
    });
    for (name, version) in &report.versions {
        json[*name] = json!(version);
    }
    json
}

fn program(measured: &Measured) -> Value {
    json!({
        "name": measured.work.name,
        "worst": measured.worst().map(figures),
        "runs": measured.runs.iter().map(run).collect::<Vec<_>>(),
    })
}

fn figures(run: &Run) -> Value {
    json!({
        "predicted_bytes": run.predicted_bytes(),
        "given_back_bytes": run.given_back_bytes(),
        "difference_bytes": run.difference_bytes(),
        "unknown": run.unknown(),
    })
}

fn run(run: &Run) -> Value {
    let mut json = figures(run);
    json["allocator"] = json!(run.allocator);
    json["examined_seconds"] = json!(run.examined_seconds);
    json["before"] = json!(run.before);
    json["after"] = json!(run.after);
    json["malloc"] = json!(run.state.as_ref().ok());
    json
}

/// A row for each run.
pub fn csv(reports: &[Report]) -> String {
    let mut text =
        "place,glibc,program,run,predicted_bytes,given_back_bytes,difference_bytes\n".to_owned();
    let known = |figure: Option<i64>| figure.map_or_else(String::new, |bytes| bytes.to_string());
    for report in reports {
        for measured in &report.works {
            for (number, run) in measured.runs.iter().enumerate() {
                // A string takes whatever is written; no name holds a quotation mark.
                let _ = writeln!(
                    text,
                    "{},{},\"{}\",{},{},{},{}",
                    report.place,
                    report.version("glibc"),
                    measured.work.name,
                    number + 1,
                    known(run.predicted_bytes().map(u64::cast_signed)),
                    run.given_back_bytes(),
                    known(run.difference_bytes()),
                );
            }
        }
    }
    text
}

/// Writes `predictions.json`, `.txt` and `.csv` to this directory.
///
/// # Errors
///
/// When one can't be written.
pub fn write(directory: &Path, run: &Value, table: &str, csv: &str) -> anyhow::Result<()> {
    let mut json = serde_json::to_string_pretty(run)?;
    json.push('\n');
    fs::create_dir_all(directory).with_context(|| directory.display().to_string())?;
    for (extension, text) in [("json", json.as_str()), ("txt", table), ("csv", csv)] {
        let path = directory.join("predictions").with_extension(extension);
        fs::write(&path, text).with_context(|| path.display().to_string())?;
    }
    Ok(())
}
