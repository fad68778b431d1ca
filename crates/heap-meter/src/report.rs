//! Results for people and for programs: a table, a page, JSON, CSV, a chart.

mod answer;
pub mod chart;
mod csv;
#[cfg(feature = "flame")]
pub mod flame;
mod html;
mod malloc_table;
mod part;
mod table;
mod text;
mod trace_table;

pub use csv::{CsvRow, experiment_csv, rows_csv, trace_csv};
pub use html::{Figure, Page};
pub use human_text::printable;
pub use part::{Part, Sections};
pub use table::{experiment_heading, experiment_sections, experiment_table, no_comparison};
pub use text::{COLUMNS, Column, NONE, fit, in_unit, known_bytes, rows_table, stdout_columns};
pub use trace_table::{Extent, trace_table};

use crate::experiment::Results;
use crate::trace::AddressSpaceReport;
use heap_growth::MemoryLayout;
use serde::Serialize;
use std::collections::BTreeMap;

/// Which shape JSON documents have. It is raised, for all kinds of them, when a field goes, or what
/// it means or its type changes; a field that is added raises nothing.
pub const SCHEMA: u32 = 1;

/// A JSON document: `schema`, and the fields of what it is of.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Document<'a, T> {
    schema: u32,
    #[serde(flatten)]
    content: &'a T,
}

impl<'a, T: Serialize> Document<'a, T> {
    /// Of anything that has fields: [`Results`], a [`Trace`](crate::trace::Trace), ….
    pub fn of(content: &'a T) -> Self {
        Self { schema: SCHEMA, content }
    }
}

/// The [`Document`] of anything that has fields, indented and with a newline at the end.
///
/// # Errors
/// When it has no fields, or a figure can't be written as JSON.
pub fn json(value: &impl Serialize) -> serde_json::Result<String> {
    Ok(serde_json::to_string_pretty(&Document::of(value))? + "\n")
}

/// The results as [`json`] has them, with one more key: `address_space`, where memory lay in one run
/// of each of these arms, by the arm's name.
///
/// # Errors
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
