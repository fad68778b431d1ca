//! Pieces that tables for people are made of.

use comfy_table::{Cell, CellAlignment, Table};

use heap_growth::Fallback;
use human_text::{Bytes, thousands};

/// So many sizes of fallbacks are listed.
const SIZES: usize = 6;

/// The sizes of fallbacks, the most frequent first: `663 × 132 KiB, 1 × 1.00 MiB`.
pub(super) fn sizes(fallback: &Fallback) -> String {
    let sizes = fallback.sizes().iter();
    let mut sizes: Vec<_> = sizes.map(|(bytes, count)| (*count, *bytes)).collect();
    sizes.sort_unstable_by(|a, b| b.cmp(a));
    let listed: Vec<String> = sizes
        .iter()
        .take(SIZES)
        .map(|(count, bytes)| format!("{} × {}", thousands(*count), Bytes(*bytes)))
        .collect();
    let more = if sizes.len() > SIZES { ", …" } else { "" };
    format!("{}{more}", listed.join(", "))
}

/// A table without lines.
pub(super) fn plain_table(header: Vec<Cell>) -> Table {
    let mut table = Table::new();
    table.load_style(comfy_table::presets::NOTHING);
    table.set_header(header);
    table
}

/// The table's lines, without the blanks that fill them up.
pub(super) fn lines_of(table: &Table) -> String {
    let mut text = String::new();
    for line in table.to_string().lines() {
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// A figure's cell.
pub(super) fn right(text: &str) -> Cell {
    Cell::new(text).set_alignment(CellAlignment::Right)
}

/// Lines of at most 100 columns, broken at spaces.
pub fn wrapped(text: &str) -> String {
    const COLUMNS: usize = 100;
    let mut lines = String::new();
    let mut width = 0;
    for word in text.split(' ') {
        let length = word.chars().count();
        if width > 0 && width + 1 + length > COLUMNS {
            lines.push_str("\n  ");
            width = 2;
        } else if width > 0 {
            lines.push(' ');
            width += 1;
        }
        lines.push_str(word);
        width += length;
    }
    lines.push('\n');
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_lines_are_broken_at_spaces() {
        let text = "word ".repeat(40);
        let lines = wrapped(text.trim());
        assert!(
            lines.lines().all(|line| line.chars().count() <= 100),
            "{lines}"
        );
        assert_eq!(lines.split_whitespace().count(), 40);
    }
}
