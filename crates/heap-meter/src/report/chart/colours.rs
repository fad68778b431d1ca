//! Which colour stands for what.

use heap_growth::GrowthKind;

/// Of arms and other rows, in their order: colours that people who don't see red and green tell
/// apart, too (Okabe and Ito).
pub(super) const COLOURS: [&str; 4] = ["#0072B2", "#D55E00", "#009E73", "#CC79A7"];

/// Of files that are being read: laid thinly under the kinds.
pub(super) const FILE_COLOURS: [&str; 3] = ["#F0E442", "#56B4E9", "#882255"];

/// A kind's colour, the same in every chart.
pub(super) const fn of_kind(kind: GrowthKind) -> &'static str {
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
