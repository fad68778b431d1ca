//! Results for people and for programs: a table, JSON, CSV, a chart.

pub mod chart;
mod csv;
#[cfg(feature = "flame")]
pub mod flame;
mod malloc_table;
mod table;
mod text;
mod trace_table;

pub use csv::{CsvRow, experiment_csv, rows_csv, trace_csv};
pub use human_text::printable;
pub use table::{experiment_heading, experiment_table, remarks};
pub use text::{
    COLUMNS, Column, NONE, counted, finding_line, fit, in_unit, known_bytes, paragraph, rows_table,
    stdout_columns,
};
pub use trace_table::trace_table;

use crate::experiment::Results;
use crate::trace::AddressSpaceReport;
use heap_growth::MemoryLayout;
use serde::Serialize;
use std::collections::BTreeMap;

/// Anything as indented JSON, with a newline at the end: [`Results`] and a
/// [`Trace`](crate::trace::Trace) have the shape that is documented of their fields.
///
/// # Errors
///
/// When a figure can't be written as JSON, which neither yields.
pub fn json(value: &impl Serialize) -> serde_json::Result<String> {
    Ok(serde_json::to_string_pretty(value)? + "\n")
}

/// The results as [`json`] has them, with one more key: `address_space`, where memory lay in one run
/// of each of these arms, by the arm's name.
///
/// # Errors
///
/// As for [`json`].
pub fn json_with_maps(
    results: &Results,
    maps: &[(String, MemoryLayout)],
) -> serde_json::Result<String> {
    #[derive(Serialize)]
    struct WithMaps<'a> {
        #[serde(flatten)]
        results: &'a Results,
        address_space: BTreeMap<&'a str, AddressSpaceReport>,
    }
    let maps = maps.iter();
    json(&WithMaps {
        results,
        address_space: maps
            .map(|(arm, layout)| (arm.as_str(), AddressSpaceReport::of(layout)))
            .collect(),
    })
}
