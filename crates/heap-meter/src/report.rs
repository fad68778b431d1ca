//! Results for people and for programs: a table, JSON, CSV, a chart.

pub mod chart;
mod csv;
mod figure;
#[cfg(feature = "flame")]
pub mod flame;
mod json;
mod malloc_table;
mod rows;
mod table;
mod text;
mod trace_csv;
mod trace_table;

pub use csv::experiment_csv;
pub use figure::in_unit;
pub use json::{experiment_json, experiment_json_with_maps, trace_json};
pub use rows::{Column, rows_csv, rows_table};
pub use table::{experiment_heading, experiment_table, remarks};
pub use text::wrapped;

pub use human_text::printable;
pub use trace_csv::trace_csv;
pub use trace_table::trace_table;
