//! The images of README and book: charts and terminals that are drawn from a run, pictures that a run
//! drew itself. All are written into one directory, and none may lie there that no text shows.

use super::excerpt;
use super::runs::Runs;
use crate::documents::{Fault, files_in};
use anyhow::Context;
use heap_meter::experiment::Results;
use heap_meter::report::chart::memory_over_checkpoints;
use std::collections::BTreeMap;
use std::fmt::Write;

/// Where charts live.
const IMAGES: &str = "book/src/images";

/// The charts that the documents show, by file.
#[derive(Debug, Default)]
pub struct Charts(BTreeMap<String, String>);

impl Charts {
    /// File and SVG.
    pub fn drawn(&self) -> impl Iterator<Item = (&str, &String)> {
        self.0.iter().map(|(name, svg)| (name.as_str(), svg))
    }

    /// Images that no marker draws.
    ///
    /// # Errors
    /// When the directory can't be read.
    pub fn strangers(&self) -> anyhow::Result<Vec<Fault>> {
        let mut files = files_in(IMAGES)?;
        files.retain(|name| !self.0.contains_key(name));
        let fault = |file| Fault::new(file, 0, "no marker draws this chart");
        Ok(files.into_iter().map(fault).collect())
    }
}

/// A picture that a run drew itself.
///
/// # Errors
/// When the request is wrong, or there is no such run.
pub fn picture(
    asked: &str,
    document: &str,
    runs: &Runs,
    charts: &mut Charts,
) -> anyhow::Result<String> {
    let parts: Vec<&str> = asked.split('"').collect();
    let [run, shows, live] = parts[..] else {
        anyhow::bail!("expected picture FILE.svg \"WHAT IT SHOWS\" [live]");
    };
    let run = run.trim();
    let name = run.replace('/', "-");
    let file = format!("{IMAGES}/{name}");
    charts.0.insert(file.clone(), runs.text(run)?.to_owned());
    match live.trim() {
        "" => Ok(shown(shows, &file, document)),
        // An image in Markdown is dead: no script, no search, no names under the mouse.
        "live" => Ok(format!(
            "<object type=\"image/svg+xml\" data=\"{}\" width=\"100%\">{shows}</object>\n",
            link(&file, document)
        )),
        word => anyhow::bail!("`{word}`: expected live or nothing"),
    }
}

/// A terminal with what a run printed.
///
/// # Errors
/// As for [`picture`].
pub fn terminal(
    asked: &str,
    document: &str,
    runs: &Runs,
    charts: &mut Charts,
) -> anyhow::Result<String> {
    let form = "terminal \"WHAT IT SHOWS\" \"COMMAND\" EXCERPT [+ EXCERPT]…";
    let parts: Vec<&str> = asked.splitn(5, '"').collect();
    let ["", shows, _, typed, excerpts] = parts[..] else {
        anyhow::bail!("expected {form}");
    };
    let run = excerpts.split_whitespace().next().context(form)?;
    let name = run.trim_end_matches(".txt").replace('/', "-");
    let file = format!("{IMAGES}/{name}-terminal.svg");
    let excerpts: anyhow::Result<Vec<String>> =
        excerpts.split(" + ").map(|excerpt| excerpt::of_run(excerpt, runs)).collect();
    let printed = excerpts?.join("\n…\n");
    let lines: Vec<&str> = printed.lines().collect();
    let shown = shown(shows, &file, document);
    charts.0.insert(file, screen(typed, &lines));
    Ok(shown)
}

/// An image that can be opened by itself, where it is as large as the window: on a telephone's page
/// it is small. GitHub makes a link of every image.
fn shown(shows: &str, file: &str, document: &str) -> String {
    let link = link(file, document);
    let image = format!("![{shows}]({link})");
    if link == file { format!("{image}\n") } else { format!("[{image}]({link})\n") }
}

/// How a document names one of the images.
fn link(file: &str, document: &str) -> String {
    match document.strip_prefix("book/src/") {
        Some(_) => file.trim_start_matches("book/src/").to_owned(),
        None => file.to_owned(),
    }
}

/// Memory at each checkpoint of an experiment.
///
/// # Errors
/// When the run has no checkpoint.
pub fn chart(results: &Results, document: &str, charts: &mut Charts) -> anyhow::Result<String> {
    let name = &results.experiment;
    let svg = memory_over_checkpoints(results).context("the run has no checkpoint")?;
    let file = format!("{IMAGES}/{name}.svg");
    let arms: Vec<&str> = results.arms.iter().map(|arm| arm.name.as_str()).collect();
    let shows =
        format!("Bar chart of {name}: resident memory at each checkpoint, {}", arms.join(" and "));
    let shown = shown(&shows, &file, document);
    charts.0.insert(file, svg);
    Ok(shown)
}

const FONT_SIZE: usize = 14;
const LINE_HEIGHT: usize = 19;
/// Of a character, in tenths of a pixel: three fifths of the font's size.
const COLUMN_TENTHS: usize = 84;
const MARGIN: usize = 18;

/// The picture of a terminal (which shrinks with the page, where a block of as many columns would be
/// cut off) in which `typed` printed `lines`.
fn screen(typed: &str, lines: &[&str]) -> String {
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
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_is_copied_and_shown() {
        let runs = Runs::of([("a/b.svg", "<svg/>".to_owned())]);
        let mut charts = Charts::default();
        let mut shown = |asked, document| picture(asked, document, &runs, &mut charts);
        let page = "book/src/x.md";
        assert_eq!(
            shown(r#"a/b.svg "Memory""#, page).unwrap(),
            "[![Memory](images/a-b.svg)](images/a-b.svg)\n"
        );
        let live = shown(r#"a/b.svg "Memory" live"#, page).unwrap();
        assert!(live.contains(r#"data="images/a-b.svg""#), "{live}");
        assert!(shown(r#"a/c.svg "Memory""#, page).is_err());
        assert!(shown("a/b.svg", page).is_err());
        let drawn: Vec<_> = charts.drawn().collect();
        assert_eq!(drawn, [("book/src/images/a-b.svg", &"<svg/>".to_owned())]);
    }

    #[test]
    fn a_terminal_shows_excerpts() {
        let runs = Runs::of([("a/b.txt", "one\ntwo\nthree\nfour\nfive\n".to_owned())]);
        let mut charts = Charts::default();
        let mut shown = |asked| terminal(asked, "README.in.md", &runs, &mut charts);
        let asked =
            r#""Memory" "brkhole x" a/b.txt from "one" to "two" + a/b.txt from "four" to "five""#;
        assert_eq!(shown(asked).unwrap(), "![Memory](book/src/images/a-b-terminal.svg)\n");
        assert!(shown(r#""Memory" a/b.txt from "one" to "two""#).is_err());
        let (_, svg) = charts.drawn().next().unwrap();
        let texts: Vec<&str> = svg
            .lines()
            .filter_map(|line| line.strip_suffix("</text>")?.rsplit_once('>'))
            .map(|(_, text)| text)
            .collect();
        assert_eq!(texts, ["$ brkhole x", "one", "two", "…", "four", "five"]);
    }

    #[test]
    fn every_line_is_there_and_none_is_markup() {
        let svg = screen("a <b>", &["", " x & y"]);
        assert!(svg.contains(">$ a &lt;b&gt;</text>"), "{svg}");
        assert!(svg.contains("> x &amp; y</text>"), "{svg}");
        assert_eq!(svg.matches("<text").count(), 2);
        // The third row, in a picture of three.
        assert!(svg.contains(&format!("y=\"{}\"", MARGIN + 2 * LINE_HEIGHT + FONT_SIZE)));
        assert!(svg.contains(&format!("height=\"{}\"", 3 * LINE_HEIGHT + 2 * MARGIN)));
    }
}
