//! JSON, as the structures of the results have it.

use serde::Serialize;

use crate::experiment::Results;
use crate::trace::Trace;

/// The results as indented JSON, with a newline at the end.
///
/// # Errors
///
/// When a figure can't be written as JSON, which no experiment yields.
pub fn experiment_json(results: &Results) -> serde_json::Result<String> {
    pretty(results)
}

/// A trace as indented JSON, with a newline at the end.
///
/// # Errors
///
/// When a figure can't be written as JSON, which no trace yields.
pub fn trace_json(trace: &Trace) -> serde_json::Result<String> {
    pretty(trace)
}

fn pretty(value: &impl Serialize) -> serde_json::Result<String> {
    let mut json = serde_json::to_string_pretty(value)?;
    json.push('\n');
    Ok(json)
}
