//! The results for people and for spreadsheets.

mod csv;
mod table;

pub(super) use csv::csv;
pub(super) use table::table;
