//! README.md from its template, in which each marker stands for what a run says:
//!
//! ```text
//! took {{fig locations comparison.time_per_location.control seconds}} each
//!
//! {{block machine locations}}
//! ```
//!
//! Who reads README.md finds the figures and no marker, and no word to those who edit or run it:
//! comments that have a line of their own are left out. Lines of prose are filled anew, since a
//! figure is shorter than its marker.

use super::marker::Marker;
use crate::documents::{Document, Fault, Fence};

/// What README.md begins with.
const HEADER: &str =
    "<!-- Made from README.in.md by `cargo xtask figures`: change that, not this. -->\n\n";

/// Where lines of prose end.
const COLUMNS: usize = 100;

const BEGIN: &str = "{{";
const BLOCK: &str = "{{block ";
const END: &str = "}}";

/// The text that the template gives, each marker as `content` has it. Where that fails, a fault is
/// noted and the marker stays.
pub fn render(
    template: &Document,
    faults: &mut Vec<Fault>,
    content: &mut dyn FnMut(Marker<'_>) -> anyhow::Result<String>,
) -> String {
    let mut text = HEADER.to_owned();
    let mut prose = String::new();
    let mut fence = Fence::default();
    for (number, line) in (1..).zip(template.text.lines()) {
        let is_code = fence.holds(line);
        if !is_code && is_comment(line) {
            continue;
        }
        let written = if is_code { Ok(line.to_owned()) } else { rendered(line, content) };
        let written = written.unwrap_or_else(|error| {
            faults.push(Fault::new(&template.name, number, format!("{error:#}")));
            line.to_owned()
        });
        if !is_code && is_prose(line) {
            prose.push_str(written.trim_end());
            prose.push(' ');
        } else {
            text.push_str(&filled(&std::mem::take(&mut prose)));
            text.push_str(written.trim_end());
            text.push('\n');
        }
    }
    text.push_str(&filled(&prose));
    text
}

/// Prose in lines that are as long as they may be.
fn filled(prose: &str) -> String {
    // Not at every blank: one that doesn't break stands between a figure and its unit.
    let options = textwrap::Options::new(COLUMNS)
        .word_separator(textwrap::WordSeparator::AsciiSpace)
        .word_splitter(textwrap::WordSplitter::NoHyphenation)
        .break_words(false);
    match prose.trim() {
        "" => String::new(),
        prose => textwrap::fill(prose, &options) + "\n",
    }
}

fn is_comment(line: &str) -> bool {
    let line = line.trim();
    line.starts_with("<!--") && line.ends_with("-->")
}

/// Whether the line belongs to a paragraph; a heading, a table, a list, an image or a block has its
/// lines as they are.
fn is_prose(line: &str) -> bool {
    !line.is_empty() && !line.starts_with(['#', '|', '-', ' ', '!']) && !line.starts_with(BLOCK)
}

fn rendered(
    line: &str,
    content: &mut dyn FnMut(Marker<'_>) -> anyhow::Result<String>,
) -> anyhow::Result<String> {
    let marker = line.trim().strip_prefix(BLOCK);
    if let Some(asked) = marker.and_then(|rest| rest.strip_suffix(END)) {
        return content(Marker::Block(asked))
            .map_err(|error| error.context(line.trim().to_owned()));
    }
    let mut text = String::new();
    let mut rest = line;
    while let Some((before, after)) = rest.split_once(BEGIN) {
        let (marker, after) = after
            .split_once(END)
            .ok_or_else(|| anyhow::anyhow!("`{BEGIN}` without `{END}` on its line"))?;
        let asked = marker.strip_prefix("fig ").ok_or_else(|| {
            anyhow::anyhow!("`{marker}`: expected fig …, or block … on a line of its own")
        })?;
        let figure =
            content(Marker::Figure(asked)).map_err(|error| error.context(marker.to_owned()))?;
        text.push_str(before);
        text.push_str(&figure);
        rest = after;
    }
    text.push_str(rest);
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rendered(text: &str) -> (String, Vec<String>) {
        let template = Document { name: "page.in.md".to_owned(), text: text.to_owned() };
        let mut faults = Vec::new();
        let text = render(&template, &mut faults, &mut |marker| match marker {
            Marker::Figure("unknown") => anyhow::bail!("no such figure"),
            Marker::Figure(asked) => Ok(asked.to_uppercase()),
            Marker::Block(asked) => Ok(format!("[{asked}]\n")),
        });
        let text = text.strip_prefix(HEADER).unwrap().to_owned();
        (text, faults.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn markers_become_what_they_stand_for_and_comments_go() {
        let (text, faults) = rendered(
            "Took {{fig a}}, {{fig b c}}.\n{{block d e}}\n<!-- needs: x -->\n```sh\n{{fig a}}\n```\n",
        );
        assert_eq!(text, "Took A, B C.\n[d e]\n```sh\n{{fig a}}\n```\n");
        assert!(faults.is_empty(), "{faults:?}");
    }

    #[test]
    fn paragraphs_are_filled_and_nothing_else() {
        let word = "word ".repeat(30);
        let (text, _) = rendered(&format!("{word}\n{{{{fig a}}}}\n\n- {word}b\n  c\n| {word}|\n"));
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0].len(), 99);
        assert!(lines[1].ends_with("word A"), "{text}");
        assert_eq!(lines[2..], ["", &format!("- {word}b"), "  c", &format!("| {word}|")]);
    }

    #[test]
    fn what_is_wrong_is_named_with_its_line_and_stays() {
        for (text, expected) in [
            ("- a\n- b {{fig unknown}}\n", "page.in.md:2: fig unknown: no such figure"),
            ("{{fig a\n", "page.in.md:1: `{{` without `}}` on its line"),
            (
                "see {{block a}}\n",
                "page.in.md:1: `block a`: expected fig …, or block … on a line of its own",
            ),
        ] {
            assert_eq!(rendered(text), (text.to_owned(), vec![expected.to_owned()]));
        }
    }
}
