//! SVG charts.

mod address_map;
mod axes;
mod checkpoints;
mod curves;
mod growth;
mod svg;

pub use address_map::{Panel, address_map};
pub use checkpoints::memory_over_checkpoints;
pub use curves::{Curve, CurvePanel, curves};
pub use growth::growth_over_time;
pub(super) use svg::escaped;
