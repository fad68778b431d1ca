//! JSON, as the structures of the results have it.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::experiment::Results;
use crate::trace::{AddressSpaceReport, Trace};
use heap_growth::MemoryLayout;

/// The results as indented JSON, with a newline at the end.
///
/// # Errors
///
/// When a figure can't be written as JSON, which no experiment yields.
pub fn experiment_json(results: &Results) -> serde_json::Result<String> {
    pretty(results)
}

/// The results as [`experiment_json`] has them, with one more key: `address_space`, where memory lay
/// in one run of each of these arms, by the arm's name.
///
/// # Errors
///
/// As for [`experiment_json`].
pub fn experiment_json_with_maps(
    results: &Results,
    maps: &[(String, MemoryLayout)],
) -> serde_json::Result<String> {
    #[derive(Serialize)]
    struct WithMaps<'a> {
        #[serde(flatten)]
        results: &'a Results,
        address_space: BTreeMap<String, AddressSpaceReport>,
    }
    let reported =
        |(arm, layout): &(String, MemoryLayout)| (arm.clone(), AddressSpaceReport::of(layout));
    let address_space = maps.iter().map(reported).collect();
    pretty(&WithMaps {
        results,
        address_space,
    })
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
