//! Results for people and for programs: a table, JSON, CSV, a chart.

#[cfg(feature = "chart")]
pub mod chart;
mod csv;
mod figure;
#[cfg(feature = "stacks")]
pub mod flame;
mod json;
mod table;

pub use csv::experiment_csv;
pub use json::experiment_json;
pub use table::experiment_table;
