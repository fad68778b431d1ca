//! Bytes and times as people read them.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// A number of bytes. Units are binary: 1 KiB is 1,024 B.
///
/// Three significant digits, because no measurement here is worth more; `{:#}` of [`Bytes`] adds
/// the exact number. Widths and alignment work as for a string (`{:>10}`).
///
/// ```
/// use human_text::{Bytes, Seconds, thousands};
///
/// assert_eq!(Bytes(860_160).to_string(), "840 KiB");
/// assert_eq!(format!("{:#}", Bytes(1 << 20)), "1.00 MiB (1,048,576 B)");
/// assert_eq!(Seconds(0.0194).to_string(), "19.4 ms");
/// assert_eq!(thousands(219_597), "219,597");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Bytes(pub u64);

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
        let Self(bytes) = *self;
        if bytes < 1024 {
            return f.pad(&format!("{bytes} B"));
        }
        let mut unit = 0;
        let mut value = bytes as f64 / 1024.0;
        // What would be shown as 1024 belongs to the next unit.
        while value >= 1023.5 && unit + 1 < UNITS.len() {
            value /= 1024.0;
            unit += 1;
        }
        let short = format!("{} {}", three_digits(value), UNITS[unit]);
        if f.alternate() {
            f.pad(&format!("{short} ({} B)", thousands(bytes)))
        } else {
            f.pad(&short)
        }
    }
}

/// Reads what people type: a whole number, with a binary unit or without one (`256MiB`, `256M`,
/// `1 GiB`, `4096`).
impl FromStr for Bytes {
    type Err = NotBytes;

    fn from_str(text: &str) -> Result<Self, NotBytes> {
        let not_bytes = || NotBytes { text: text.to_owned() };
        let digits = text.trim_end_matches(|letter: char| !letter.is_ascii_digit());
        let shift = match text[digits.len()..].trim_start() {
            "" | "B" => 0,
            "KiB" | "K" => 10,
            "MiB" | "M" => 20,
            "GiB" | "G" => 30,
            "TiB" | "T" => 40,
            _ => return Err(not_bytes()),
        };
        let number: Option<u64> = digits.parse().ok();
        let bytes = number.and_then(|number| number.checked_mul(1 << shift));
        bytes.map(Self).ok_or_else(not_bytes)
    }
}

/// Is no number of bytes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?}: expected a whole number of bytes, such as 256MiB, 6GiB or 4096")]
pub struct NotBytes {
    text: String,
}

/// A time in seconds, shown as ns, µs, ms or s.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub struct Seconds(pub f64);

impl From<Duration> for Seconds {
    fn from(duration: Duration) -> Self {
        Self(duration.as_secs_f64())
    }
}

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const UNITS: [(&str, f64); 3] = [("ns", 1e9), ("µs", 1e6), ("ms", 1e3)];
        let Self(seconds) = *self;
        if seconds == 0.0 || !seconds.is_finite() {
            return f.pad(&format!("{} s", seconds.abs()));
        }
        let shown = UNITS.iter().find_map(|&(unit, factor)| {
            let value = seconds * factor;
            // What would be shown as 1000 belongs to the next unit.
            (value.abs() < 999.5).then(|| format!("{} {unit}", three_digits(value)))
        });
        match shown {
            Some(text) => f.pad(&text),
            None if seconds.abs() < 999.5 => f.pad(&format!("{} s", three_digits(seconds))),
            // Whole seconds: hours keep their digits.
            None => {
                let sign = if seconds < 0.0 { "-" } else { "" };
                f.pad(&format!("{sign}{} s", thousands(seconds.abs().round() as u64)))
            }
        }
    }
}

/// A number with a comma after every third digit.
#[must_use]
pub fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.char_indices() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A number and what it counts: `1 process`, `1,024 processes`.
pub fn counted(number: u64, one: &str, many: &str) -> String {
    let what = if number == 1 { one } else { many };
    format!("{} {what}", thousands(number))
}

/// Three significant digits, or all the digits before the point if there are more.
fn three_digits(value: f64) -> String {
    let magnitude = value.abs();
    // 9.995 is shown as 10.0, not as 10.00.
    let decimals = match magnitude {
        _ if magnitude < 9.995 => 2,
        _ if magnitude < 99.95 => 1,
        _ => 0,
    };
    format!("{value:.decimals$}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_read_with_binary_units_only() {
        for (text, bytes) in [
            ("0", 0),
            ("268435456", 256 << 20),
            ("256MiB", 256 << 20),
            ("256M", 256 << 20),
            ("1 GiB", 1 << 30),
            ("64KiB", 64 << 10),
        ] {
            assert_eq!(text.parse(), Ok(Bytes(bytes)), "{text}");
        }
        for text in ["", "MiB", "256MB", "-1", "1.5GiB", "99999999TiB", "1 2", "1MiBé"] {
            assert!(text.parse::<Bytes>().is_err(), "{text}");
        }
    }

    #[test]
    fn bytes_at_the_borders_of_their_units() {
        for (bytes, text) in [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1.00 KiB"),
            (10_234, "9.99 KiB"),
            (10_235, "10.0 KiB"),
            (135_168, "132 KiB"),
            (860_160, "840 KiB"),
            (1023 * 1024, "1023 KiB"),
            ((1 << 20) - 513, "1023 KiB"),
            ((1 << 20) - 512, "1.00 MiB"),
            (1 << 20, "1.00 MiB"),
            (219_597 << 10, "214 MiB"),
            ((1 << 30) - 1, "1.00 GiB"),
            (1 << 40, "1.00 TiB"),
            (1 << 60, "1.00 EiB"),
            (u64::MAX, "16.0 EiB"),
        ] {
            assert_eq!(Bytes(bytes).to_string(), text, "{bytes}");
        }
    }

    #[test]
    fn times_at_the_borders_of_their_units() {
        for (seconds, text) in [
            (0.0, "0 s"),
            (-0.0, "0 s"),
            (1e-9, "1.00 ns"),
            (999.4e-9, "999 ns"),
            (999.6e-9, "1.00 µs"),
            (25.5e-6, "25.5 µs"),
            (999.6e-6, "1.00 ms"),
            (0.0194, "19.4 ms"),
            (0.9996, "1.00 s"),
            (21.4, "21.4 s"),
            (999.4, "999 s"),
            (999.6, "1,000 s"),
            (86_400.0, "86,400 s"),
            (-0.0012, "-1.20 ms"),
            (-1234.0, "-1,234 s"),
            (f64::INFINITY, "inf s"),
            (f64::NAN, "NaN s"),
        ] {
            assert_eq!(Seconds(seconds).to_string(), text, "{seconds:e}");
        }
        assert_eq!(Seconds::from(Duration::from_micros(1500)).to_string(), "1.50 ms");
    }

    #[test]
    fn width_and_alignment_are_kept() {
        assert_eq!(format!("{:>9}|{:<9}|", Bytes(5), Seconds(2.0)), "      5 B|2.00 s   |");
    }

    #[test]
    fn commas_every_three_digits() {
        for (number, text) in [
            (0, "0"),
            (999, "999"),
            (1000, "1,000"),
            (65_532, "65,532"),
            (1_048_576, "1,048,576"),
            (u64::MAX, "18,446,744,073,709,551,615"),
        ] {
            assert_eq!(thousands(number), text);
        }
    }
}
