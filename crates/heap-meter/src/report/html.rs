//! A report as one file that can be attached to a ticket: it fetches nothing, and is read in a light
//! or a dark window, on a telephone, and without its script, too.
//!
//! Much in it was named by a target. Nothing of that means anything to HTML, and if it did, the
//! page's policy would run none of it: of scripts it knows the digests of its own.

use super::chart::escaped;
use super::part::{Part, Sections};
use super::text::{Column, in_unit, plain, ratio};
use crate::environment::Environment;
use crate::experiment::Unit;
use human_text::printable;
use serde_json::Value;
use std::fmt::Write;

const STYLE: &str = include_str!("html/page.css");
const SORT: &str = include_str!("html/sort.js");

const FLAME_STYLE: &str = include_str!("html/flame.css");

/// Starts a flame graph's own script, which takes its frame to have a width, once it has one. What
/// that script keeps in its window's address is lost: the frame has none.
const START: &str = "history.replaceState = () => {};
const isWide = () => innerWidth > 50;
addEventListener('resize', event => { if (!isWide()) event.stopImmediatePropagation() });
new ResizeObserver((_, seen) => { if (isWide()) { seen.disconnect(); init() } }).observe(document.documentElement)";

/// How the SVG would start it.
const START_OF_SVG: &str = " onload=\"init(evt)\"";

/// Of [`SORT`], [`START`] and a flame graph's own script: `openssl dgst -sha256 -binary`, in Base64.
const DIGESTS: [&str; 3] = [
    "aTM4nDG7WjOQadfumjXsVzUK8/OcA3RJGzqyYbXbNJg=",
    "7xtGYkGSiI4/TVkIPokgZdCx6OESLtUuwVTeRXjrGss=",
    "1PFDkwEewv3IzZ33THoq4nuQL9bVdmrY7jQO+5XUI5s=",
];

/// A picture of a page.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Figure {
    /// One of [`chart`](super::chart)'s.
    Chart(String),
    /// A flame graph: the SVG with its script, and how wide in percent a frame must be to be in it.
    Flame(String, f64),
}

/// What a page shows.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Page<'a> {
    /// The report.
    pub sections: Sections,
    /// Pictures, which stand before the first table.
    pub figures: Vec<Figure>,
    /// Where it was measured, if that is known.
    pub environment: Option<Environment>,
    /// The program that made it, with its version.
    pub program: &'a str,
    /// What to type for the same again, as a shell takes it.
    pub command: String,
}

impl<'a> Page<'a> {
    /// A page without pictures and environment.
    pub fn new(sections: Sections, program: &'a str, command: String) -> Self {
        Self { sections, figures: Vec::new(), environment: None, program, command }
    }

    /// The page as an HTML document.
    pub fn html(&self) -> String {
        let Sections(sections) = &self.sections;
        let heading = sections.iter().flatten().find_map(|part| match part {
            Part::Heading(text) => Some(text),
            _ => None,
        });
        let heading = safe(heading.unwrap_or(&self.command));
        let is_table = |part: &Part| matches!(part, Part::Table { .. });
        let first_table = sections.iter().position(|parts| parts.iter().any(is_table));
        let (told, shown) = sections.split_at(first_table.unwrap_or(sections.len()));

        let mut body = format!("<h1>{heading}</h1>\n");
        told.iter().for_each(|parts| section(&mut body, parts));
        self.figures.iter().for_each(|picture| figure(&mut body, picture));
        shown.iter().for_each(|parts| section(&mut body, parts));
        body.push_str("<h2>Where, and how to repeat it</h2>\n");
        let environment =
            self.environment.as_ref().map(|known| serde_json::to_value(known).unwrap_or_default());
        let made_by = [("made by", Value::from(self.program))];
        let known = environment.as_ref().and_then(Value::as_object).into_iter().flatten();
        let made_by = made_by.iter().map(|(name, value)| (*name, value));
        pairs(&mut body, known.map(|(name, value)| (&**name, value)).chain(made_by));
        // Writing to a string can't fail.
        let _ = writeln!(body, "<pre class=\"command\">{}</pre>", safe(&self.command));

        let digests: String = DIGESTS.iter().map(|digest| format!(" 'sha256-{digest}'")).collect();
        format!(
            concat!(
                "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n",
                "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; ",
                "style-src 'unsafe-inline'; script-src{digests}; ",
                "base-uri 'none'; form-action 'none'\">\n",
                "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n",
                "<meta name=\"color-scheme\" content=\"light dark\">\n",
                "<title>{heading}</title>\n<style>\n{style}</style>\n</head>\n",
                "<body>\n<main>\n{body}</main>\n<script>{sort}</script>\n</body>\n</html>\n",
            ),
            digests = digests,
            body = body,
            heading = heading,
            style = STYLE,
            sort = SORT,
        )
    }
}

/// Text that means nothing to HTML; control characters are escaped as they are in a terminal.
fn safe(text: &str) -> String {
    escaped(&printable(text))
}

fn section(body: &mut String, parts: &[Part]) {
    if parts.iter().all(|part| matches!(part, Part::Heading(_))) {
        return;
    }
    body.push_str("<section>\n");
    match parts {
        // One of many, and long.
        [Part::Paragraph(title), lines @ Part::Lines(_)] => {
            let _ = writeln!(body, "<details><summary>{}</summary>", safe(title));
            part(body, lines);
            body.push_str("</details>\n");
        }
        parts => parts.iter().for_each(|each| part(body, each)),
    }
    body.push_str("</section>\n");
}

fn part(body: &mut String, part: &Part) {
    let _ = match part {
        // It is the heading.
        Part::Heading(_) => Ok(()),
        Part::Paragraph(text) => writeln!(body, "<p>{}</p>", safe(text)),
        Part::Note(text) => writeln!(body, "<p class=\"note\">note: {}</p>", safe(text)),
        Part::Lines(lines) => {
            let lines: Vec<_> = lines.lines().map(safe).collect();
            writeln!(body, "<pre>{}</pre>", lines.join("\n"))
        }
        Part::Finding(finding) => {
            let _ = writeln!(
                body,
                "<div class=\"finding {severity}\"><p><strong>{severity}</strong> <code>{}</code></p>\n<p>{}</p>",
                safe(&finding.kind),
                safe(&finding.to_string()),
                severity = finding.severity,
            );
            if !finding.evidence.is_empty() {
                body.push_str("<details open><summary>evidence</summary>\n");
                pairs(body, finding.evidence.iter().map(|(name, value)| (&**name, value)));
                body.push_str("</details>\n");
            }
            writeln!(body, "</div>")
        }
        Part::Table { columns, rows } => {
            table(body, columns, rows);
            Ok(())
        }
    };
}

fn table(body: &mut String, columns: &[Column<String>], rows: &[Vec<String>]) {
    let class = |column: &Column<String>| match column {
        Column::Left(_) => "",
        Column::Right(_) => " class=\"n\"",
    };
    // Names and what belongs to them have their order.
    let sorts = match columns.iter().any(|column| matches!(column, Column::Right(_))) {
        true => " class=\"sorts\"",
        false => "",
    };
    let _ = write!(body, "<div class=\"wide\" tabindex=\"0\"><table{sorts}>\n<thead><tr>");
    for column in columns {
        let _ = write!(body, "<th scope=\"col\"{}>{}</th>", class(column), safe(column.title()));
    }
    body.push_str("</tr></thead>\n<tbody>\n");
    for row in rows {
        body.push_str("<tr>");
        for (column, cell) in columns.iter().zip(row) {
            let _ = write!(body, "<td{}>{}</td>", class(column), safe(cell.trim_start()));
        }
        body.push_str("</tr>\n");
    }
    body.push_str("</tbody>\n</table></div>\n");
}

fn figure(body: &mut String, figure: &Figure) {
    let _ = match figure {
        Figure::Chart(svg) => writeln!(body, "<figure>\n{svg}</figure>"),
        Figure::Flame(svg, least) => {
            let (_, svg) = svg.split_once("<svg").unwrap_or_default();
            let height = svg.split_once(" height=\"").and_then(|(_, rest)| rest.split_once('"'));
            let (height, _) = height.unwrap_or_default();
            // A window of its own: its script takes the whole document for the graph.
            let document = format!(
                "<!doctype html><style>{FLAME_STYLE}</style><svg{}<script>{START}</script>",
                svg.replacen(START_OF_SVG, "", 1),
            );
            writeln!(
                body,
                "<figure>\n<iframe title=\"Flame graph of who asked\" height=\"{}\" srcdoc=\"{}\"></iframe>\n\
                 <figcaption>Who asked the kernel for memory, as wide as the bytes. A click on a function \
                 enlarges it. What has less than {least} % is left out.</figcaption>\n</figure>",
                safe(height),
                document.replace('&', "&amp;").replace('"', "&quot;"),
            )
        }
    };
}

/// Figures with their names.
fn pairs<'a>(body: &mut String, pairs: impl Iterator<Item = (&'a str, &'a Value)>) {
    body.push_str("<dl>\n");
    pairs.for_each(|(name, value)| pair(body, name, value));
    body.push_str("</dl>\n");
}

/// One; of what has parts, each.
fn pair(body: &mut String, name: &str, value: &Value) {
    let of = |unit| match name.strip_suffix(unit)? {
        "" => Some(name),
        stem => stem.strip_suffix(['_', '.']),
    };
    let (name, told) = match value {
        Value::Null => return,
        Value::String(text) if text.is_empty() => return,
        Value::Object(parts) => {
            let parts = parts.iter();
            return parts.for_each(|(part, value)| pair(body, &format!("{name}.{part}"), value));
        }
        value => match (value.as_f64(), of("bytes"), of("seconds")) {
            (Some(number), Some(name), _) => (name, in_unit(number, Unit::Bytes)),
            (Some(number), _, Some(name)) => (name, in_unit(number, Unit::Seconds)),
            (Some(number), ..) if value.is_f64() && number.fract() == 0.0 => {
                (name, format!("{number:.0}"))
            }
            (Some(number), ..) if value.is_f64() => (name, ratio(number)),
            _ => (name, plain(value)),
        },
    };
    let _ = writeln!(
        body,
        "<div><dt>{}</dt><dd>{}</dd></div>",
        safe(&name.replace('_', " ")),
        safe(&told)
    );
}

#[cfg(test)]
mod tests;
