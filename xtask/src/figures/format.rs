//! How a figure is written, as in the tables of the reports.

use human_text::{Bytes, Seconds, thousands};

const NO_BREAK_SPACE: &str = "\u{a0}";

/// The value in this format.
///
/// | format | 0.0044 | 860160 |
/// |---|---|---|
/// | `bytes` | | 840 KiB |
/// | `seconds` | 4.40 ms | |
/// | `count` | | 860,160 |
/// | `rounded` (to a whole number) | 0 | 860,160 |
/// | `ratio` | 0.00 | 860160 |
/// | `percent` | 0.4 % | |
/// | `change` (from 1) | −99.6 % | |
///
/// A line never ends between a figure and its unit.
///
/// # Errors
///
/// When there is no such format, or the value doesn't fit it.
pub fn written(value: f64, format: &str) -> anyhow::Result<String> {
    let whole = || {
        anyhow::ensure!(value >= 0.0, "{value} can't be written as {format}");
        Ok(value.round() as u64)
    };
    let figure = match format {
        "bytes" => Bytes(whole()?).to_string(),
        "count" => {
            let number = whole()?;
            anyhow::ensure!((value - value.round()).abs() < 1e-6, "{value} is no count");
            thousands(number)
        }
        "rounded" => thousands(whole()?),
        "seconds" => Seconds(value).to_string(),
        "ratio" => ratio(value),
        "percent" => format!("{:.1} %", 100.0 * value),
        "change" => signed(100.0 * (value - 1.0)),
        _ => anyhow::bail!(
            "`{format}`: expected bytes, seconds, count, rounded, ratio, percent, change or text"
        ),
    };
    Ok(figure.replace(' ', NO_BREAK_SPACE))
}

/// With as many digits as say something, as in the tables.
fn ratio(value: f64) -> String {
    match value {
        _ if value < 9.995 => format!("{value:.2}"),
        _ if value < 99.95 => format!("{value:.1}"),
        _ => format!("{value:.0}"),
    }
}

fn signed(percent: f64) -> String {
    let sign = if percent < 0.0 { "−" } else { "+" };
    format!("{sign}{:.1} %", percent.abs())
}

#[cfg(test)]
mod tests {
    use super::written;

    #[test]
    fn figures_are_written_as_in_the_tables() {
        for (value, format, expected) in [
            (860_160.0, "bytes", "840\u{a0}KiB"),
            (0.004_41, "seconds", "4.41\u{a0}ms"),
            (219_597.0, "count", "219,597"),
            (1_500.6, "rounded", "1,501"),
            (158.7, "ratio", "159"),
            (12.34, "ratio", "12.3"),
            (0.0123, "percent", "1.2\u{a0}%"),
            (1.003, "change", "+0.3\u{a0}%"),
            (0.5, "change", "−50.0\u{a0}%"),
        ] {
            assert_eq!(written(value, format).unwrap(), expected);
        }
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        assert!(written(-1.0, "bytes").is_err());
        assert!(written(0.5, "count").is_err());
        assert!(written(1.0, "furlongs").is_err());
    }
}
