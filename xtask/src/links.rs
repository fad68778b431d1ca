//! Relative links and anchors of READMEs and book lead somewhere, and every page is in the summary.
//!
//! Links to other sites aren't followed: whether those answer today says nothing about the text.
//! (mdbook-linkcheck2 would check the book, but neither the READMEs nor that no link leaves the book.)

use crate::documents::{self, Document, Fault, Fence, fail_on};
use roots::repository::root;
use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

/// The book's table of contents.
const SUMMARY: &str = "book/src/SUMMARY.md";

/// Checks all documents.
///
/// # Errors
/// When a link leads nowhere or a page is in no table of contents.
pub fn check() -> anyhow::Result<()> {
    let documents = documents::with_links()?;
    let anchors: BTreeMap<&str, Vec<String>> = documents
        .iter()
        .map(|document| (document.name.as_str(), anchors(&document.text)))
        .collect();
    let mut faults = Vec::new();
    let mut listed = vec![SUMMARY.to_owned()];
    for document in &documents {
        for (line, link) in links(&document.text) {
            match broken(document, link, &anchors) {
                Ok(target) if document.name == SUMMARY => listed.push(target),
                Ok(_) => {}
                Err(message) => {
                    let message = format!("({link}): {message}");
                    faults.push(Fault::new(&document.name, line, message));
                }
            }
        }
    }
    for document in &documents {
        if document.name.starts_with("book/") && !listed.contains(&document.name) {
            let message = format!("isn't in {SUMMARY}, so it isn't in the book");
            faults.push(Fault::new(&document.name, 0, message));
        }
    }
    fail_on(&faults, "")
}

/// The file that a link leads to, or what is wrong with it.
fn broken(
    document: &Document,
    link: &str,
    anchors: &BTreeMap<&str, Vec<String>>,
) -> Result<String, String> {
    if link.starts_with("https://") {
        return Ok(String::new());
    }
    if link.contains(':') {
        return Err("expected https or a relative path".to_owned());
    }
    let (path, anchor) = link.split_once('#').unwrap_or((link, ""));
    let target =
        if path.is_empty() { document.name.clone() } else { resolved(&document.name, path) };
    if !root().join(&target).exists() {
        return Err(format!("there is no {target}"));
    }
    // The book is published by itself: what lies outside it isn't there.
    if document.name.starts_with("book/src/") && !target.starts_with("book/src/") {
        return Err(
            "leads out of the book, where a reader of the published book has nothing".into()
        );
    }
    match anchors.get(target.as_str()) {
        Some(known) if !anchor.is_empty() && !known.iter().any(|known| known == anchor) => {
            Err(format!("{target} has no heading #{anchor}"))
        }
        _ => Ok(target),
    }
}

fn resolved(from: &str, path: &str) -> String {
    let mut resolved = PathBuf::from(from);
    resolved.pop();
    for part in Path::new(path).components() {
        match part {
            Component::ParentDir => {
                resolved.pop();
            }
            Component::CurDir => {}
            part => resolved.push(part),
        }
    }
    resolved.to_string_lossy().into_owned()
}

/// Lines of prose, numbered from 1: without fenced code.
fn prose(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut fence = Fence::default();
    let numbered = (1..).zip(text.lines());
    numbered.filter(move |(_, line)| !fence.holds(line))
}

/// The targets of `[text](target)` and `![text](target)`, with their lines.
fn links(text: &str) -> Vec<(usize, &str)> {
    let mut links = Vec::new();
    for (number, line) in prose(text) {
        // What stands in backticks is no link: every second part. A link whose text is in backticks
        // is cut apart by this, but its target still stands behind `](`.
        for part in line.split('`').step_by(2) {
            let targets = part.split("](").skip(1);
            let targets = targets.filter_map(|rest| rest.split_once(')'));
            links.extend(targets.map(|(target, _)| (number, target)));
        }
    }
    links
}

/// The anchors of a text's headings, as mdBook and GitHub make them.
fn anchors(text: &str) -> Vec<String> {
    prose(text)
        .filter_map(|(_, line)| line.strip_prefix('#'))
        .map(|heading| {
            heading
                .trim_start_matches('#')
                .trim()
                .to_lowercase()
                .chars()
                .filter_map(|letter| match letter {
                    ' ' => Some('-'),
                    '-' | '_' => Some(letter),
                    letter => letter.is_alphanumeric().then_some(letter),
                })
                .collect()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_found_in_prose_only() {
        let text =
            "See [a](a.md) and [`b`](b.md#c), not `[x](x)`.\n```\n[y](y)\n```\n![d](d.svg)\n";
        assert_eq!(links(text), [(1, "a.md"), (1, "b.md#c"), (5, "d.svg")]);
    }

    #[test]
    fn anchors_are_made_of_headings() {
        let text = "# What malloc's `brk` does\n\n## 2.35 – 2.37\n```\n# no heading\n```\n";
        assert_eq!(anchors(text), ["what-mallocs-brk-does", "235--237"]);
    }

    #[test]
    fn a_path_is_taken_from_the_documents_place() {
        assert_eq!(resolved("book/src/a.md", "images/b.svg"), "book/src/images/b.svg");
        assert_eq!(resolved("book/src/a.md", "../../README.md"), "README.md");
        assert_eq!(resolved("README.md", "./book/src/a.md"), "book/src/a.md");
    }

    #[test]
    fn what_leads_nowhere_is_said() {
        let document = Document { name: "README.md".to_owned(), text: String::new() };
        let anchors = BTreeMap::from([("README.md", vec!["use".to_owned()])]);
        let verdict = |link| broken(&document, link, &anchors);
        assert!(verdict("https://example.org/x").is_ok());
        assert!(verdict("http://example.org/x").is_err());
        assert!(verdict("xtask/Cargo.toml").is_ok());
        assert!(verdict("no/such/file.md").is_err());
        assert!(verdict("#use").is_ok());
        assert!(verdict("#misuse").is_err());
    }
}
