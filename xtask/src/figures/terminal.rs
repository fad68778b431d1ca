//! A terminal as a picture: a command as it was typed, and lines of what it printed.
//!
//! An image shrinks with the page, where a block of as many columns would be cut off.

use std::fmt::Write;

const FONT_SIZE: usize = 14;
const LINE_HEIGHT: usize = 19;
/// Of a character, in tenths of a pixel: three fifths of the font's size.
const COLUMN_TENTHS: usize = 84;
const MARGIN: usize = 18;

/// The picture of a terminal in which `typed` printed `lines`.
pub fn picture(typed: &str, lines: &[&str]) -> String {
    let prompt = format!("$ {typed}");
    let all = || std::iter::once(prompt.as_str()).chain(lines.iter().copied());
    let columns = all().map(|line| line.chars().count()).max().unwrap_or(0);
    let width = pixels(columns) + 2 * MARGIN;
    let height = all().count() * LINE_HEIGHT + 2 * MARGIN;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" \
         height=\"{height}\" font-family=\"ui-monospace, SFMono-Regular, Menlo, Consolas, \
         'DejaVu Sans Mono', 'Liberation Mono', monospace\" font-size=\"{FONT_SIZE}\" \
         fill=\"#d7dde5\">\n<rect width=\"{width}\" height=\"{height}\" rx=\"8\" fill=\"#161b22\"/>\n"
    );
    for (row, line) in all().enumerate() {
        if line.is_empty() {
            continue;
        }
        let y = MARGIN + row * LINE_HEIGHT + FONT_SIZE;
        let fill = if row == 0 { " fill=\"#7ee787\"" } else { "" };
        // Whatever font there is, columns stand below each other.
        let length = pixels(line.chars().count());
        let text = escaped(line);
        writeln!(
            svg,
            "<text x=\"{MARGIN}\" y=\"{y}\" textLength=\"{length}\" \
             lengthAdjust=\"spacingAndGlyphs\" xml:space=\"preserve\"{fill}>{text}</text>"
        )
        .expect("a String takes whatever is written to it");
    }
    svg.push_str("</svg>\n");
    svg
}

fn pixels(columns: usize) -> usize {
    columns * COLUMN_TENTHS / 10
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_is_there_and_none_is_markup() {
        let svg = picture("a <b>", &["", " x & y"]);
        assert!(svg.contains(">$ a &lt;b&gt;</text>"), "{svg}");
        assert!(svg.contains("> x &amp; y</text>"), "{svg}");
        assert_eq!(svg.matches("<text").count(), 2);
        // The third row, in a picture of three.
        assert!(svg.contains(&format!("y=\"{}\"", MARGIN + 2 * LINE_HEIGHT + FONT_SIZE)));
        assert!(svg.contains(&format!("height=\"{}\"", 3 * LINE_HEIGHT + 2 * MARGIN)));
    }
}
