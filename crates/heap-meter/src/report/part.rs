//! What a report for people is made of, before it is known whether it becomes text or a page.

use super::text::{Column, fit, rows_table};
use heap_diagnosis::{Finding, Severity};
use human_text::printable;
use std::fmt;

/// A piece of a report. Control characters in it are escaped where it is shown.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Part {
    /// What happened, or what was looked at, in a sentence.
    Heading(String),
    /// A sentence or two.
    Paragraph(String),
    /// What follows.
    Finding(Finding),
    /// What was not done, or done otherwise than without a watcher.
    Note(String),
    /// Lines that stay as they are: the frames of a stack.
    Lines(String),
    /// Rows in columns.
    Table {
        /// What stands above each column.
        columns: Vec<Column<String>>,
        /// As many cells each as there are columns.
        rows: Vec<Vec<String>>,
    },
}

impl Part {
    /// A table of these columns.
    pub fn table<T: AsRef<str>>(
        columns: &[Column<T>],
        rows: impl IntoIterator<Item = impl Into<Vec<String>>>,
    ) -> Self {
        Self::Table {
            columns: columns.iter().map(Column::to_owned).collect(),
            rows: rows.into_iter().map(Into::into).collect(),
        }
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Heading(text) | Self::Paragraph(text) => writeln!(f, "{}", printable(text)),
            Self::Finding(finding) => {
                let told = printable(&finding.to_string());
                writeln!(f, "{}: {told}", finding.severity)
            }
            Self::Note(text) => writeln!(f, "note: {}", printable(text)),
            Self::Lines(lines) => {
                let mut lines = lines.lines();
                lines.try_for_each(|line| writeln!(f, "{}", printable(line)))
            }
            Self::Table { columns, rows } => f.write_str(&rows_table(columns, rows)),
        }
    }
}

/// A report: parts that belong together, with an empty line between them and the next ones.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sections(pub Vec<Vec<Part>>);

impl Sections {
    /// As text of so many columns ([`fit`](super::fit)), with the word that says how much a finding
    /// matters as `told` has it: in its colour, on a terminal.
    pub fn fitted(&self, columns: usize, told: impl Fn(Severity) -> String) -> String {
        let part = |part: &Part| {
            let text = fit(&part.to_string(), columns);
            match part {
                Part::Finding(Finding { severity, .. }) => {
                    text.replacen(&severity.to_string(), &told(*severity), 1)
                }
                _ => text,
            }
        };
        let told = self.0.iter().filter(|section| !section.is_empty());
        let sections = told.map(|section| section.iter().map(part).collect::<String>());
        sections.collect::<Vec<_>>().join("\n")
    }
}

impl fmt::Display for Sections {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.fitted(usize::MAX, |severity| severity.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_finding_s_own_word_is_marked() {
        let finding = Finding::new("x", Severity::Warning, "a warning: of 1");
        let note = Part::Note("x\nwarning: by a target".to_owned());
        let alike = Part::Paragraph("warning: by a target, too".to_owned());
        let sections = Sections(vec![vec![Part::Finding(finding)], vec![], vec![note, alike]]);
        let text = sections.fitted(20, |severity| format!("<{severity}>"));
        assert_eq!(
            text,
            "<warning>: a warning:\n  of 1\n\n\
             note: x\\nwarning: by\n  a target\nwarning: by a\n  target, too\n"
        );
        assert!(sections.to_string().starts_with("warning: a warning: of 1\n\nnote: "));
    }
}
