//! What a log does not tell, and what could not be read of it: said instead of passed over.

use std::fmt;

use human_text::counted;

use super::input::shown;
use super::wrapping::Wrapping;

/// A remark on a log. There is at most one of each kind.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LogNote {
    /// The log doesn't begin with the start of a program: strace was attached to a process that
    /// ran already, the log is a part of another, or `execve` was left out of it.
    BeginsInTheMiddle,
    /// Processes appeared without the call that made them. Threads can't be told from processes
    /// then: each counts as a process.
    Unannounced {
        /// The first of them.
        first_tid: i32,
        /// How many.
        count: u64,
    },
    /// One appeared while others were being made, and the log doesn't hold the end of the call that
    /// made it: who its parent is, and that it is a process and no thread, was guessed.
    ParentGuessed {
        /// How often.
        count: u64,
    },
    /// Processes or threads were made, and the log has nothing of any.
    NotFollowed {
        /// How many.
        count: u64,
    },
    /// Something that strace doesn't write stood before every line, or in it, and was passed over.
    Wrapped {
        /// What: `numbers of lines`, `"app_1  | "`.
        what: Vec<String>,
        /// Lines that lacked it. They were read as they stand.
        lacking: u64,
    },
    /// Paths that strace cut short (`"/etc/ho"...`).
    CutPaths {
        /// How many.
        count: u64,
    },
    /// A name of a flag that isn't known here: its bits are missing in the call's arguments.
    UnknownName {
        /// The first of them.
        first: String,
        /// How many calls.
        calls: u64,
    },
    /// Calls that strace itself answered (`-e inject`, `-e fault`).
    Injected {
        /// How many.
        count: u64,
    },
    /// Lines so long that their ends were passed over.
    LongLines {
        /// How many.
        count: u64,
    },
    /// Logs whose input ended before its end: of compressed data a part is missing.
    CutOff {
        /// How many.
        logs: u64,
    },
    /// Several logs without times of day: told one after another, not in the order in which
    /// things happened.
    NotMerged {
        /// How many logs.
        logs: usize,
    },
}

impl fmt::Display for LogNote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BeginsInTheMiddle => f.write_str(
                "the log begins in the middle of a run: what the process had mapped and opened \
                 before isn't known",
            ),
            Self::Unannounced { first_tid, count } => write!(
                f,
                "{}, the first with id {first_tid}, without the call that made them; each is taken for \
                 a process of its own",
                counted(*count, "process or thread appears", "processes or threads appear")
            ),
            Self::ParentGuessed { count } => write!(
                f,
                "{} while others were making one, and the log doesn't tell who made them; each is taken \
                 for a process, and its parent is guessed",
                counted(*count, "process or thread appeared", "processes or threads appeared")
            ),
            Self::NotFollowed { count } => write!(
                f,
                "{}, and the log has nothing of them: without -f strace follows nobody, and with -ff each \
                 has a log of its own",
                counted(*count, "process or thread was made", "processes or threads were made")
            ),
            Self::Wrapped { what, lacking } => {
                let what = what.join(", ");
                write!(f, "passed over, as strace doesn't write it: {what}")?;
                match lacking {
                    0 => Ok(()),
                    1 => f.write_str("; 1 line without it was read as it stands"),
                    count => write!(f, "; {count} lines without it were read as they stand"),
                }
            }
            Self::CutPaths { count } => write!(
                f,
                "{} cut short by strace; `strace -s 4096` or `-y` keeps them whole",
                counted(*count, "path was", "paths were")
            ),
            Self::UnknownName { first, calls } => write!(
                f,
                "{} names of flags that are not known here, the first {first:?}",
                counted(*calls, "call holds", "calls hold")
            ),
            Self::Injected { count } => write!(
                f,
                "{} answered by strace itself (-e inject): who refused them is strace, whatever is \
                 said of it",
                counted(*count, "call was", "calls were")
            ),
            Self::LongLines { count } => write!(
                f,
                "{count} lines are longer than {} bytes; their ends were passed over",
                super::lines::LONGEST_BYTES
            ),
            Self::CutOff { logs: 1 } => f.write_str(
                "the log's compressed data are cut off, as in a file that was copied while it was \
                 written: what came after isn't known",
            ),
            Self::CutOff { logs } => write!(
                f,
                "the compressed data of {logs} logs are cut off, as in files that were copied while \
                 they were written: what came after isn't known"
            ),
            Self::NotMerged { logs } => write!(
                f,
                "{logs} logs without times of day are told one after another; `strace -ff -ttt` \
                 makes logs that can be merged"
            ),
        }
    }
}

/// The notes of a log in the reading.
#[derive(Debug, Default)]
pub(super) struct LogNotes {
    pub(super) begins_in_the_middle: bool,
    pub(super) unannounced: Option<(i32, u64)>,
    pub(super) parents_guessed: u64,
    /// Processes and threads that a call says it has made.
    pub(super) made: u64,
    /// Whether there are lines of more than one.
    pub(super) others_speak: bool,
    pub(super) wrapped: Vec<String>,
    pub(super) lacking: u64,
    pub(super) cut_paths: u64,
    pub(super) unknown_name: Option<(String, u64)>,
    pub(super) injected: u64,
    pub(super) long_lines: u64,
    pub(super) cut_off: u64,
    pub(super) not_merged: Option<usize>,
}

impl LogNotes {
    /// One appeared without the call that made it.
    pub(super) fn appeared(&mut self, tid: i32) {
        self.unannounced.get_or_insert((tid, 0)).1 += 1;
    }

    /// Something was taken off the lines of a log.
    pub(super) fn wrapped(&mut self, wrapping: &Wrapping) {
        self.lacking += wrapping.lacking;
        for what in wrapping.described() {
            if !self.wrapped.contains(&what) {
                self.wrapped.push(what);
            }
        }
    }

    pub(super) fn into_list(self) -> Vec<LogNote> {
        let some = |count: u64| (count > 0).then_some(count);
        let middle = self.begins_in_the_middle;
        let (wrapped, lacking) = (self.wrapped, self.lacking);
        [
            middle.then_some(LogNote::BeginsInTheMiddle),
            self.unannounced.map(|(first_tid, count)| LogNote::Unannounced { first_tid, count }),
            some(self.parents_guessed).map(|count| LogNote::ParentGuessed { count }),
            some(self.made)
                .filter(|_| !self.others_speak)
                .map(|count| LogNote::NotFollowed { count }),
            (!wrapped.is_empty()).then_some(LogNote::Wrapped { what: wrapped, lacking }),
            some(self.cut_paths).map(|count| LogNote::CutPaths { count }),
            self.unknown_name.map(|(first, calls)| LogNote::UnknownName { first, calls }),
            some(self.injected).map(|count| LogNote::Injected { count }),
            some(self.long_lines).map(|count| LogNote::LongLines { count }),
            some(self.cut_off).map(|logs| LogNote::CutOff { logs }),
            self.not_merged.map(|logs| LogNote::NotMerged { logs }),
        ]
        .into_iter()
        .flatten()
        .collect()
    }
}

/// Lines that are no strace's, or that hold a watched call in a form that can't be read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Unread {
    /// How many lines.
    pub count: u64,
    /// The first ten.
    pub examples: Vec<Example>,
}

/// A line that could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Example {
    /// The log that it stands in.
    pub file: String,
    /// Its number there, from 1.
    pub line: u64,
    /// Its first 120 bytes; what isn't printable text is shown as `\u{fffd}`.
    pub text: String,
}

const MOST_EXAMPLES: usize = 10;
impl Unread {
    pub(super) fn add(&mut self, file: &str, line: u64, text: &[u8]) {
        self.count += 1;
        if self.examples.len() < MOST_EXAMPLES {
            self.examples.push(Example { file: file.to_owned(), line, text: shown(text) });
        }
    }
}

impl fmt::Display for Example {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.file, self.line, self.text)
    }
}
