//! Colours that people who don't see red and green tell apart, too (Okabe and Ito).

use heap_growth::growth::Kind;

/// Of arms and other rows, in their order.
pub(super) const COLOURS: [&str; 4] = ["#0072B2", "#D55E00", "#009E73", "#CC79A7"];

/// Of files that are being read: laid thinly under the kinds.
pub(super) const FILES: [&str; 3] = ["#F0E442", "#56B4E9", "#882255"];

/// A kind's colour, the same in every chart.
pub(super) const fn of_kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Break => COLOURS[0],
        Kind::Fallback => COLOURS[1],
        Kind::LargeBlock => COLOURS[2],
        Kind::Arena => COLOURS[3],
        Kind::LowMemory => "#E69F00",
        Kind::Stack => "#661100",
        Kind::Other => "#999999",
        Kind::Earlier => "#4D4D4D",
    }
}
