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

use heap_growth::GrowthKind;

/// Of arms and other rows, in their order: colours that people who don't see red and green tell
/// apart, too (Okabe and Ito).
const COLOURS: [&str; 4] = ["#0072B2", "#D55E00", "#009E73", "#CC79A7"];

/// Of files that are being read: laid thinly under the kinds.
const FILE_COLOURS: [&str; 3] = ["#F0E442", "#56B4E9", "#882255"];

/// A kind's colour, the same in every chart.
const fn of_kind(kind: GrowthKind) -> &'static str {
    match kind {
        GrowthKind::Break => COLOURS[0],
        GrowthKind::Fallback => COLOURS[1],
        GrowthKind::LargeBlock => COLOURS[2],
        GrowthKind::Arena => COLOURS[3],
        GrowthKind::LowMemory => "#E69F00",
        GrowthKind::Stack => "#661100",
        GrowthKind::Earlier => "#4D4D4D",
        _ => "#999999",
    }
}
