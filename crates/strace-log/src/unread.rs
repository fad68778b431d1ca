//! What could not be read, shown rather than passed over.

use human_text::is_printable;
use std::fmt;

/// Lines that are no strace's, or that hold a watched call in a form that can't be read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Unread {
    /// How many lines.
    pub count: u64,
    /// The first ten.
    pub examples: Vec<Example>,
}

/// A line that could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Example {
    /// The log that it stands in.
    pub file: String,
    /// Its number there, from 1.
    pub line: u64,
    /// Its first 120 bytes; what isn't printable text is shown as `\u{fffd}`.
    pub text: String,
}

const MOST_EXAMPLES: usize = 10;
const LONGEST_BYTES: usize = 120;

impl Unread {
    pub(super) fn add(&mut self, file: &str, line: u64, text: &[u8]) {
        self.count += 1;
        if self.examples.len() < MOST_EXAMPLES {
            self.examples.push(Example {
                file: file.to_owned(),
                line,
                text: shown(text),
            });
        }
    }
}

/// The beginning of a line, fit for a terminal.
pub(super) fn shown(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(&text[..text.len().min(LONGEST_BYTES)]);
    let harmless = |c: char| match is_printable(c) || c == '\t' {
        true => c,
        false => char::REPLACEMENT_CHARACTER,
    };
    text.chars().map(harmless).collect()
}

impl fmt::Display for Example {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.file, self.line, self.text)
    }
}
