//! One log in the reading: where in it we are, and whether it is a log at all.

use std::io;

use human_text::is_printable;

use super::clock::Clock;
use super::error::LogError;
use super::line::{Line, Wanted};
use super::prefix::{self, Prefix};

/// What is remembered of one log.
#[derive(Debug, Default)]
pub(super) struct Input {
    pub(super) name: String,
    pub(super) clock: Clock,
    /// Whose lines those without an id are, if the log's name says so (`strace -ff`).
    pub(super) tid: Option<i32>,
    /// Number of the present line, from 1.
    pub(super) line: u64,
    /// Lines that are surely strace's.
    pub(super) recognised: u64,
    /// Inside of the table that `-C` writes below a log.
    pub(super) in_summary: bool,
    /// There was such a table.
    pub(super) summary: bool,
    /// The beginning of a line that strace's own words were written into.
    pub(super) broken: Option<Broken>,
    /// The first lines, as long as none was recognised.
    first: Vec<String>,
}

/// A line that isn't whole yet.
#[derive(Debug)]
pub(super) struct Broken {
    pub(super) tid: i32,
    /// The call; `None` if nobody watches it.
    pub(super) wanted: Option<Wanted>,
    pub(super) text: Vec<u8>,
}

/// Lines that are looked at more closely before they count as recognised.
const DOUBTED: u64 = 16;

/// Lines that an error shows.
const SHOWN: usize = 3;

impl Input {
    pub(super) fn new(name: &str) -> Self {
        Self { name: name.to_owned(), ..Self::default() }
    }

    /// One of the logs of `strace -ff`: its name ends in the id of the only thread that it tells of.
    pub(super) fn of_one_thread(name: &str) -> Self {
        let suffix = name.rsplit('.').next();
        Self { tid: suffix.and_then(|tid| prefix::tid(tid.as_bytes())), ..Self::new(name) }
    }

    pub(super) fn failed(&self, source: io::Error) -> LogError {
        LogError::Io { name: self.name.clone(), source }
    }

    /// A line that looks like a call. A line of a C program looks like one, too, so that the first
    /// must have a result.
    #[inline]
    pub(super) fn recognise(&mut self, line: &[u8]) {
        if self.recognised >= DOUBTED || has_result(line) {
            self.recognised += 1;
        }
    }

    /// Keeps a line for the error, should no line be recognised.
    pub(super) fn doubt(&mut self, line: &[u8]) {
        if self.recognised == 0 && self.first.len() < SHOWN && !line.is_empty() {
            self.first.push(shown(line));
        }
    }

    /// Whether the line belongs to the table that has begun, which ends with its total; or before, at
    /// what no table has, such as a call's parenthesis.
    pub(super) fn summary_goes_on(&mut self, line: &[u8]) -> bool {
        let of_tables = |byte: &u8| byte.is_ascii_alphanumeric() || b" -_.%/:".contains(byte);
        let is_of_it = line.iter().all(of_tables);
        self.in_summary =
            is_of_it && !line.split(|byte| *byte == b' ').any(|word| word == b"total");
        is_of_it
    }

    /// Whether it was a log.
    pub(super) fn finish(self) -> Result<(), LogError> {
        let name = self.name;
        match (self.recognised, self.summary) {
            (1.., _) => Ok(()),
            (0, true) => Err(LogError::Summary { name }),
            (0, false) if self.first.is_empty() && self.line == 0 => Err(LogError::Empty { name }),
            (0, false) => Err(LogError::NotALog { name, lines: self.line, first: self.first }),
        }
    }
}

/// Whether a line, as it stands, is surely strace's.
pub(super) fn is_straces(line: &[u8]) -> bool {
    let text = Prefix::parse(line).rest;
    match Line::of(text) {
        Line::Passed | Line::Call(_) => has_result(text),
        Line::Resumed(..) | Line::End(_) | Line::Signal => true,
        _ => false,
    }
}

fn has_result(line: &[u8]) -> bool {
    let within = |part: &[u8]| memchr::memmem::find(line, part).is_some();
    within(b" = ") && within(b")") || within(b"<unfinished ...>") || within(b"strace: Process ")
}

const LONGEST_BYTES: usize = 120;

/// The beginning of a line, fit for a terminal.
pub(super) fn shown(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(&text[..text.len().min(LONGEST_BYTES)]);
    let harmless = |c: char| match is_printable(c) || c == '\t' {
        true => c,
        false => char::REPLACEMENT_CHARACTER,
    };
    text.chars().map(harmless).collect()
}
