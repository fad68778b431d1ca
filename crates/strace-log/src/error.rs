//! Why an input is no log.

use std::io;

/// Why [`StraceLog::read`](super::StraceLog::read) failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LogError {
    /// It could not be read.
    #[error("cannot read {name}: {source}")]
    Io {
        /// The input.
        name: String,
        /// Why not.
        source: io::Error,
    },
    /// There is nothing in it.
    #[error(
        "{name} is empty: strace writes its log to standard error unless told otherwise; try \
         `strace -f -ttt -o LOG COMMAND`"
    )]
    Empty {
        /// The input.
        name: String,
    },
    /// It isn't text.
    #[error(
        "{name} is not an strace log but {what}; a log is text, one call a line, such as \
         `brk(NULL) = 0x55d0c8a4e000`"
    )]
    Binary {
        /// The input.
        name: String,
        /// What it looks like, with an article: `gzip-compressed data`.
        what: &'static str,
    },
    /// It is a log that something else wrote, or strace's in a form that has to be undone first.
    #[error("{name} is not an strace log but {what}; {advice}")]
    Foreign {
        /// The input.
        name: String,
        /// What it is, with an article: `a log of ltrace`.
        what: &'static str,
        /// What to do with it.
        advice: &'static str,
    },
    /// It is the table that strace makes instead of a log.
    #[error(
        "{name} is the summary of `strace -c`, which holds counts alone; run strace without -c: \
         `strace -f -ttt -o LOG COMMAND` (or with -C, for both)"
    )]
    Summary {
        /// The input.
        name: String,
    },
    /// No line of it is strace's.
    #[error(
        "{name} is not an strace log: none of its {lines} lines is a call, as in \
         `[pid 12] brk(NULL) = 0x55d0c8a4e000`; its first: {}",
        .first.join(" | ")
    )]
    NotALog {
        /// The input.
        name: String,
        /// How many lines it has.
        lines: u64,
        /// The first of them, at most three.
        first: Vec<String>,
    },
}

/// What an input that isn't text begins with, and what it is therefore.
const BEGINNINGS: &[(&[u8], &str)] = &[
    (b"\x1f\x8b", "gzip-compressed data (try `zcat FILE |`)"),
    (b"\x28\xb5\x2f\xfd", "zstd-compressed data (try `zstdcat FILE |`)"),
    (b"\xfd7zXZ\0", "xz-compressed data (try `xzcat FILE |`)"),
    (b"BZh", "bzip2-compressed data (try `bzcat FILE |`)"),
    (b"\x7fELF", "a program or library (ELF)"),
    (b"PERFILE2", "a recording of perf"),
    (b"%PDF-", "a PDF document"),
    (b"PK\x03\x04", "a zip archive (try `unzip -p FILE |`)"),
    (b"{\\rtf", "a document in RTF"),
    (b"\xff\xfe", UTF_16),
    (b"\xfe\xff", UTF_16),
];

const UTF_16: &str = "text in UTF-16 (try `iconv -f UTF-16 -t UTF-8 FILE | brkhole explain -`)";

/// NUL bytes are looked for in so much of the beginning.
const TEXT_BYTES: usize = 4096;

/// What the input is if it can't be text, told by how it begins.
pub(super) fn binary(beginning: &[u8]) -> Option<&'static str> {
    let known = BEGINNINGS.iter().find(|(magic, _)| beginning.starts_with(magic));
    match known {
        Some((_, what)) => Some(what),
        None => match &beginning[..beginning.len().min(TEXT_BYTES)] {
            // Letters of ASCII, in either order of bytes.
            [1..=255, 0, 1..=255, 0, ..] | [0, 1..=255, 0, 1..=255, ..] => Some(UTF_16),
            text if memchr::memchr(0, text).is_some() => Some("binary data (it holds NUL bytes)"),
            _ => None,
        },
    }
}
