//! The pieces of SVG that pictures are made of, and the document around them.

use std::fmt::Write;

use human_text::is_printable;

/// Text in which nothing means anything to XML. What isn't printable, which XML can't hold or
/// which turns the direction of writing, becomes `\u{fffd}`.
pub(in crate::report) fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\n' | '\t' => safe.push(' '),
            other if !is_printable(other) => safe.push('\u{fffd}'),
            other => safe.push(other),
        }
    }
    safe
}

/// How wide a text will be at most, in the widest of the fonts that are asked for.
pub(super) fn width_of(text: &str, font_size: f64) -> f64 {
    text.chars().count() as f64 * font_size * 0.64
}

/// A text breaks at spaces into lines that are no wider than this.
pub(super) fn lines(text: &str, font_size: f64, width: f64) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(' ') {
        match lines.last_mut() {
            Some(line) if width_of(line, font_size) + width_of(word, font_size) < width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

/// What the dark theme has in place of ink, grounds and the darkest colours.
const DARK: &str = concat!(
    "@media (prefers-color-scheme: dark) {",
    "svg { fill: #E6E6E6 } line { stroke: #D0D0D0 } ",
    "[fill=white] { fill: #16181C } ",
    r##"[fill="#F3F3F3"] { fill: #23262B } [fill="#E9E9E9"], [fill="#E0E0E0"] { fill: #34383F } "##,
    r##"[fill="#4D4D4D"] { fill: #B0B0B0 } [fill="#661100"], [fill="#882255"] { fill: #C2687F } "##,
    "}"
);

fn list(points: &[(f64, f64)]) -> String {
    let points: Vec<String> = points.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
    points.join(" ")
}

/// Where a text stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Anchor {
    Start,
    End,
}

/// A picture that grows downwards.
#[derive(Debug, Default)]
pub(super) struct Picture(String);

impl Picture {
    pub(super) fn rect(&mut self, x: f64, y: f64, width: f64, height: f64, fill: &str) {
        // Writing to a string can't fail.
        let _ = writeln!(
            self.0,
            r#"<rect x="{x:.1}" y="{y:.1}" width="{width:.1}" height="{height:.1}" fill="{fill}"/>"#
        );
    }

    pub(super) fn frame(&mut self, x: f64, y: f64, width: f64, height: f64) {
        let _ = writeln!(
            self.0,
            r##"<rect x="{x:.1}" y="{y:.1}" width="{width:.1}" height="{height:.1}" fill="none" stroke="#888888"/>"##
        );
    }

    pub(super) fn polygon(&mut self, points: &[(f64, f64)], fill: &str) {
        let _ = writeln!(self.0, r#"<polygon points="{}" fill="{fill}"/>"#, list(points));
    }

    /// A rectangle that lets through what lies behind it.
    pub(super) fn shade(&mut self, at: (f64, f64), size: (f64, f64), fill: &str) {
        let ((x, y), (width, height)) = (at, size);
        let _ = writeln!(
            self.0,
            r#"<rect x="{x:.2}" y="{y:.1}" width="{width:.2}" height="{height:.1}" fill="{fill}" fill-opacity="0.35"/>"#
        );
    }

    pub(super) fn polyline(&mut self, points: &[(f64, f64)], stroke: &str) {
        let _ = writeln!(
            self.0,
            r#"<polyline points="{}" fill="none" stroke="{stroke}" stroke-width="2"/>"#,
            list(points)
        );
    }

    pub(super) fn dot(&mut self, x: f64, y: f64, fill: &str) {
        let _ = writeln!(self.0, r#"<circle cx="{x:.1}" cy="{y:.1}" r="3.5" fill="{fill}"/>"#);
    }

    /// `dashes` as `stroke-dasharray` has them; empty for none.
    pub(super) fn line(&mut self, from: (f64, f64), to: (f64, f64), width: f64, dashes: &str) {
        let dashes = match dashes {
            "" => String::new(),
            dashes => format!(r#" stroke-dasharray="{dashes}""#),
        };
        let _ = writeln!(
            self.0,
            r##"<line x1="{:.1}" y1="{:.1}" x2="{:.1}" y2="{:.1}" stroke="#222222" stroke-width="{width}"{dashes}/>"##,
            from.0, from.1, to.0, to.1
        );
    }

    pub(super) fn text(&mut self, x: f64, y: f64, font_size: f64, anchor: Anchor, text: &str) {
        let anchor = match anchor {
            Anchor::Start => "",
            Anchor::End => r#" text-anchor="end""#,
        };
        let _ = writeln!(
            self.0,
            r#"<text x="{x:.1}" y="{y:.1}" font-size="{font_size}"{anchor}>{}</text>"#,
            escaped(text)
        );
    }

    /// The document, on a ground of its own, so that it can be read on any page: white, or dark for
    /// those who prefer that.
    pub(super) fn document(&self, width: f64, height: f64, title: &str, told: &str) -> String {
        format!(
            concat!(
                r#"<svg xmlns="http://www.w3.org/2000/svg" width="{w}" height="{h}" "#,
                r#"viewBox="0 0 {w} {h}" role="img" fill="black" "#,
                r#"font-family="DejaVu Sans, Verdana, Liberation Sans, Arial, sans-serif">"#,
                "<title>{title}</title><desc>{told}</desc>\n<style>{dark}</style>\n",
                r#"<rect width="100%" height="100%" fill="white"/>"#,
                "\n{body}</svg>\n"
            ),
            dark = DARK,
            w = width,
            h = height.ceil(),
            title = escaped(title),
            told = escaped(told),
            body = self.0,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_text_means_anything() {
        assert_eq!(escaped("a<b>&\"c\"\u{1b}[\n"), "a&lt;b&gt;&amp;&quot;c&quot;\u{fffd}[ ");
    }

    #[test]
    fn lines_are_no_wider_than_asked() {
        let text = "word ".repeat(50);
        let lines = lines(text.trim(), 10.0, 200.0);
        assert!(lines.iter().all(|line| width_of(line, 10.0) <= 200.0));
        assert_eq!(lines.join(" "), text.trim());
    }
}
