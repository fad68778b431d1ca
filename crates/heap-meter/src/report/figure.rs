//! Figures as text.

use crate::experiment::Unit;
use human_text::{Bytes, Seconds, thousands};

/// `value` in its unit: `840 KiB`, `4.41 ms`, `1,024`. A figure below zero keeps its sign.
pub fn in_unit(value: f64, unit: Unit) -> String {
    let sign = if value < 0.0 { "−" } else { "" };
    let size = value.abs();
    match unit {
        Unit::Seconds => format!("{sign}{}", Seconds(size)),
        Unit::Bytes => format!("{sign}{}", Bytes(size.round() as u64)),
        Unit::Count => format!("{sign}{}", thousands(size.round() as u64)),
    }
}

/// A ratio with as many digits as say something: `1.00`, `12.3`, `159`.
pub(super) fn ratio(value: f64) -> String {
    if value < 9.995 {
        format!("{value:.2}")
    } else if value < 99.95 {
        format!("{value:.1}")
    } else {
        format!("{value:.0}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_rounded_to_what_says_something() {
        assert_eq!(in_unit(860_160.4, Unit::Bytes), "840 KiB");
        assert_eq!(in_unit(-2048.0, Unit::Bytes), "−2.00 KiB");
        assert_eq!(in_unit(1024.0, Unit::Count), "1,024");
        assert_eq!(ratio(1.0), "1.00");
        assert_eq!(ratio(9.996), "10.0");
        assert_eq!(ratio(158.7), "159");
    }
}
