//! Finds markers in a text and puts between them what belongs there.

use crate::documents::{Document, Fault, Fence};

const END: &str = " -->";
const FIGURE: &str = "<!-- fig ";
const FIGURE_END: &str = "<!-- /fig -->";
const BLOCK: &str = "<!-- block ";
const BLOCK_END: &str = "<!-- /block -->";

/// What a marker asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Marker<'a> {
    /// A figure in a sentence.
    Figure(&'a str),
    /// Lines of their own.
    Block(&'a str),
}

/// The text with every figure and block as `content` gives it. Where it fails, or a marker is
/// wrong, a fault is noted and what stands there stays.
pub fn fill(
    document: &Document,
    faults: &mut Vec<Fault>,
    content: &mut dyn FnMut(Marker<'_>) -> anyhow::Result<String>,
) -> String {
    let mut filled = String::new();
    let mut lines = document.text.split_inclusive('\n').enumerate().peekable();
    let mut fence = Fence::default();
    while let Some((index, line)) = lines.next() {
        let mut fault =
            |message: String| faults.push(Fault::new(&document.name, index + 1, message));
        if fence.holds(line) {
            filled.push_str(line);
        } else if let Some(asked) = line.trim_end().strip_prefix(BLOCK) {
            filled.push_str(line);
            let mut stands = String::new();
            let end = loop {
                match lines.next() {
                    Some((_, line)) if line.trim_end() == BLOCK_END => break Some(line),
                    Some((_, line)) => stands.push_str(line),
                    None => break None,
                }
            };
            match (asked.strip_suffix(END), end) {
                (None, _) => fault(format!("the marker of a block ends with `{END}`")),
                (_, None) => fault(format!("the block has no `{BLOCK_END}`")),
                (Some(asked), Some(_)) => match content(Marker::Block(asked)) {
                    Ok(text) => stands = text,
                    Err(error) => fault(format!("block {asked}: {error:#}")),
                },
            }
            filled.push_str(&stands);
            filled.push_str(end.unwrap_or_default());
        } else {
            match fill_line(line, content) {
                Ok(line) => filled.push_str(&line),
                Err(error) => {
                    filled.push_str(line);
                    fault(format!("{error:#}"));
                }
            }
        }
    }
    filled
}

fn fill_line(
    line: &str,
    content: &mut dyn FnMut(Marker<'_>) -> anyhow::Result<String>,
) -> anyhow::Result<String> {
    anyhow::ensure!(
        !line.trim_start().starts_with(FIGURE),
        "a figure's marker can't begin a line: Markdown would take the line for HTML"
    );
    let mut filled = String::new();
    let mut rest = line;
    while let Some((before, after)) = rest.split_once(FIGURE) {
        let (asked, after) = after.split_once(END).ok_or_else(|| {
            anyhow::anyhow!("the marker of a figure ends with `{END}`, on one line")
        })?;
        let (_, after) = after
            .split_once(FIGURE_END)
            .ok_or_else(|| anyhow::anyhow!("fig {asked}: no `{FIGURE_END}` on this line"))?;
        let figure = content(Marker::Figure(asked))
            .map_err(|error| error.context(format!("fig {asked}")))?;
        filled.push_str(before);
        filled.push_str(&format!("{FIGURE}{asked}{END}{figure}{FIGURE_END}"));
        rest = after;
    }
    for stray in [FIGURE_END, BLOCK_END, BLOCK, "<!-- /"] {
        anyhow::ensure!(!rest.contains(stray), "`{stray}` without its other half");
    }
    filled.push_str(rest);
    Ok(filled)
}

/// Where `stands` says something else than `filled`, a fault a line.
pub fn differences(name: &str, stands: &str, filled: &str) -> Vec<Fault> {
    let mut faults = Vec::new();
    let (mut old, mut new) = (stands.lines().enumerate(), filled.lines());
    loop {
        let (index, old, new) = match (old.next(), new.next()) {
            (Some((_, old)), Some(new)) if old == new => continue,
            (Some((index, old)), Some(new)) => (index, old, new),
            (Some((index, old)), None) => (index, old, ""),
            (None, Some(new)) => (stands.lines().count(), "", new),
            (None, None) => return faults,
        };
        let other = figures(old).zip(figures(new)).find(|(old, new)| old != new);
        let message = match other {
            Some(((asked, old), (_, new))) => {
                format!("fig {asked}: here stands {old}, the run says {new}")
            }
            None => format!("here stands\n    {old}\n  the run says\n    {new}"),
        };
        faults.push(Fault::new(name, index + 1, message));
        // Behind a line too many or too few every line differs: one of them is enough.
        if stands.lines().count() != filled.lines().count() {
            return faults;
        }
    }
}

/// The figures of a line: what is asked for, and what stands there.
fn figures(line: &str) -> impl Iterator<Item = (&str, &str)> {
    line.split(FIGURE).skip(1).filter_map(|part| part.split_once(FIGURE_END)?.0.split_once(END))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(text: &str) -> (String, Vec<String>) {
        let document = Document { name: "page.md".to_owned(), text: text.to_owned() };
        let mut faults = Vec::new();
        let filled = fill(&document, &mut faults, &mut |marker| match marker {
            Marker::Figure("unknown") => anyhow::bail!("no such figure"),
            Marker::Figure(asked) => Ok(asked.to_uppercase()),
            Marker::Block(asked) => Ok(format!("[{asked}]\n")),
        });
        (filled, faults.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn figures_and_blocks_are_replaced_and_nothing_else() {
        let (text, faults) = filled(
            "Took <!-- fig a -->1 s<!-- /fig -->, <!-- fig b --><!-- /fig -->.\n\
             <!-- block c d -->\nold\nlines\n<!-- /block -->\nend\n",
        );
        assert_eq!(
            text,
            "Took <!-- fig a -->A<!-- /fig -->, <!-- fig b -->B<!-- /fig -->.\n\
             <!-- block c d -->\n[c d]\n<!-- /block -->\nend\n"
        );
        assert!(faults.is_empty(), "{faults:?}");
    }

    #[test]
    fn markers_inside_fenced_code_are_text() {
        let text = "```text\n<!-- fig a -->1<!-- /fig -->\n<!-- block c -->\n```\n";
        assert_eq!(filled(text), (text.to_owned(), Vec::new()));
    }

    #[test]
    fn what_is_wrong_is_named_with_its_line_and_stays() {
        for (text, expected) in [
            ("a\nb <!-- fig unknown -->1<!-- /fig -->\n", "page.md:2: fig unknown: no such figure"),
            ("b <!-- fig a -->1\n", "page.md:1: fig a: no `<!-- /fig -->` on this line"),
            ("<!-- block c -->\nx\n", "page.md:1: the block has no `<!-- /block -->`"),
            ("b <!-- /fig -->\n", "page.md:1: `<!-- /fig -->` without its other half"),
            ("<!-- /block -->\n", "page.md:1: `<!-- /block -->` without its other half"),
        ] {
            assert_eq!(filled(text), (text.to_owned(), vec![expected.to_owned()]));
        }
    }

    #[test]
    fn a_marker_that_begins_a_line_is_refused() {
        let (_, faults) = filled("and\n<!-- fig a -->1<!-- /fig --> more\n");
        assert_eq!(faults.len(), 1);
        assert!(faults[0].contains("can't begin a line"), "{faults:?}");
    }

    #[test]
    fn a_difference_shows_both_sides() {
        let faults = differences("page.md", "same\nold 1\n", "same\nold 2\n");
        assert_eq!(
            faults[0].to_string(),
            "page.md:2: here stands\n    old 1\n  the run says\n    old 2"
        );
        let line = |figure| format!("a <!-- fig x bytes -->{figure}<!-- /fig --> b\n");
        let faults = differences("page.md", &line("1 B"), &line("2 B"));
        assert_eq!(
            faults[0].to_string(),
            "page.md:1: fig x bytes: here stands 1 B, the run says 2 B"
        );
        assert!(differences("page.md", "a\n", "a\n").is_empty());
    }
}
