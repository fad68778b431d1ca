//! Pieces that tables for people are made of: figures, rows in columns, lines that fit a terminal.

use crate::experiment::Unit;
use std::io::IsTerminal;

use comfy_table::{Cell, CellAlignment, Table};
use heap_growth::Fallback;
use human_text::{Bytes, Seconds, printable, thousands};

/// So many sizes of fallbacks are listed.
const SIZES: usize = 6;

/// In the place of a figure that isn't known, or isn't there.
pub const NONE: &str = "–";

/// Bytes, if they are known.
pub fn known_bytes(bytes: Option<u64>) -> String {
    bytes.map_or_else(|| NONE.to_owned(), |bytes| Bytes(bytes).to_string())
}

/// A parameter as it was given.
pub(super) fn plain(value: &serde_json::Value) -> String {
    match value {
        serde_json::Value::String(text) => text.clone(),
        serde_json::Value::Array(values) => {
            let values: Vec<String> = values.iter().map(plain).collect();
            values.join("+")
        }
        other => other.to_string(),
    }
}

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

/// The sizes of fallbacks, the most frequent first: `663 × 132 KiB, 1 × 1.00 MiB`.
pub(super) fn sizes(fallback: &Fallback) -> String {
    let sizes = fallback.sizes().iter();
    let mut sizes: Vec<_> = sizes.map(|(bytes, count)| (*count, *bytes)).collect();
    sizes.sort_unstable_by(|a, b| b.cmp(a));
    times_bytes(&sizes, SIZES)
}

/// How often each size came, the first `most` of them.
pub(super) fn times_bytes(sizes: &[(u64, u64)], most: usize) -> String {
    let listed: Vec<String> = sizes
        .iter()
        .take(most)
        .map(|(count, bytes)| format!("{} × {}", thousands(*count), Bytes(*bytes)))
        .collect();
    let more = if sizes.len() > most { ", …" } else { "" };
    format!("{}{more}", listed.join(", "))
}

/// A column of [`rows_table`], with what stands above it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Column<T> {
    /// Words.
    Left(T),
    /// Figures.
    Right(T),
}

impl<T: AsRef<str>> Column<T> {
    pub(super) fn title(&self) -> &str {
        let (Self::Left(title) | Self::Right(title)) = self;
        title.as_ref()
    }

    pub(super) fn to_owned(&self) -> Column<String> {
        match self {
            Self::Left(title) => Column::Left(title.as_ref().to_owned()),
            Self::Right(title) => Column::Right(title.as_ref().to_owned()),
        }
    }

    fn cell(&self, text: &str) -> Cell {
        match self {
            Self::Left(_) => Cell::new(text),
            Self::Right(_) => Cell::new(text).set_alignment(CellAlignment::Right),
        }
    }
}

/// Rows in columns, without lines between; control characters in a cell are escaped.
pub fn rows_table<T: AsRef<str>, R: AsRef<[String]>>(columns: &[Column<T>], rows: &[R]) -> String {
    let mut table = Table::new();
    table.load_style(comfy_table::presets::NOTHING);
    table.set_header(columns.iter().map(|column| column.cell(column.title())));
    for row in rows {
        let cells = columns.iter().zip(row.as_ref());
        table.add_row(cells.map(|(column, text)| column.cell(&printable(text))));
    }
    // Without the blanks that fill the lines up.
    let lines = table.lines();
    lines.map(|line| format!("{}\n", line.trim_end())).collect()
}

/// Columns where nobody says how wide the page is.
pub const COLUMNS: usize = 80;

/// Columns of standard output: the terminal's, as far as lines of text can be read, or [`COLUMNS`].
pub fn stdout_columns() -> usize {
    match std::io::stdout().is_terminal() {
        true => textwrap::termwidth().clamp(40, 120),
        false => COLUMNS,
    }
}

/// Breaks paragraphs at spaces into lines of so many columns. What begins with a space, as rows of
/// tables and frames of stacks do, stays as it is.
pub fn fit(text: &str, columns: usize) -> String {
    let options = textwrap::Options::new(columns)
        .subsequent_indent("  ")
        .word_splitter(textwrap::WordSplitter::NoHyphenation)
        .break_words(false);
    let mut fitted = String::with_capacity(text.len());
    for line in text.lines() {
        match line.starts_with(' ') {
            true => fitted.push_str(line),
            false => fitted.push_str(&textwrap::fill(line, &options)),
        }
        fitted.push('\n');
    }
    fitted
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

    #[test]
    fn figures_stand_on_the_right() {
        let columns = [Column::Left("name"), Column::Right("bytes")];
        let rows = [["a\nb", "5"], ["c", "1,000"]].map(|row| row.map(str::to_owned));
        let lines: Vec<String> = rows_table(&columns, &rows).lines().map(str::to_owned).collect();
        assert_eq!(lines.len(), 3, "{lines:?}");
        assert!(lines[1].contains("a\\nb"), "{lines:?}");
        assert!(lines.iter().all(|line| line.len() == lines[0].len()));
    }

    #[test]
    fn paragraphs_are_broken_at_spaces_and_rows_are_not() {
        let row = format!(" {}\n", "figure ".repeat(40).trim_end());
        let words = "word --max-hold ".repeat(20);
        let fitted = fit(&format!("{row}{}\n", words.trim_end()), 60);
        let (first, others) = fitted.split_once('\n').unwrap();
        assert_eq!(format!("{first}\n"), row);
        assert!(others.lines().all(|line| line.chars().count() <= 60), "{others}");
        assert!(others.lines().skip(1).all(|line| line.starts_with("  ")), "{others}");
        assert_eq!(others.split_whitespace().collect::<Vec<_>>().join(" "), words.trim_end());
    }
}
