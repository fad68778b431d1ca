//! JSON, as the structures of the results have it.

use crate::experiment::Results;

/// The results as indented JSON, with a newline at the end.
///
/// # Errors
///
/// When a figure can't be written as JSON, which no experiment yields.
pub fn experiment_json(results: &Results) -> serde_json::Result<String> {
    let mut json = serde_json::to_string_pretty(results)?;
    json.push('\n');
    Ok(json)
}
