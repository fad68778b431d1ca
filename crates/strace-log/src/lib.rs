//! A log that strace wrote, anybody's, of any time.
//!
//! The log is read line by line in constant memory. Every form of line is understood that strace
//! has had in the last twenty years: ids in brackets or in a column (`-f`), times (`-t`, `-tt`,
//! `-ttt`, `-r`), time spent (`-T`), addresses (`-i`), numbers of calls (`-n`), stacks (`-k`),
//! what descriptors lead to (`-y`, `-yy`), raw and verbose constants (`-X`), calls that others
//! interrupted (`<unfinished ...>`, `<... brk resumed>`), a log for each thread (`-ff`). So are logs
//! of qemu's user mode (`qemu -strace`). What others have written before every line (a journal,
//! `docker compose`, `cat -n`, `grep -n`, a mail) is recognised by the first lines and taken off
//! ([`LogNote::Wrapped`]); what other tracers wrote is refused by its name ([`LogError::Foreign`]).
//!
//! Counts are those of `strace -f -c` of the same run, as `heap_growth::Tally`
//! has them. A call that did not come back (`= ?`, its thread was killed) isn't an event, as
//! `strace -c` doesn't count it either.
//!
//! # Limits
//!
//! - Addresses behind which strace showed a string or structure are 0 in a call's arguments; so
//!   are the arguments of `execve`.
//! - Names of flags are read with this machine's numbers.
//! - Ids are those of threads. Which process a thread belongs to is known if the log holds the
//!   call that made it; otherwise it counts as a process of its own ([`LogNote::Unannounced`]).
//! - A process that the log never names (no `-f`) has the id 0.
//! - [`What::Started`](memory_event::What::Started) is told only if the log begins with a
//!   successful `execve`; otherwise [`LogNote::BeginsInTheMiddle`] says so.
//! - Only what was logged can be told: `-e trace=…` leaves out the rest, and what was left out looks
//!   like what was never made. `heap_meter::trace::Trace::of` has no figures of it.
//!
//! # Example
//!
//! ```
//! use memory_event::Syscall;
//! use strace_log::StraceLog;
//! use heap_growth::{Fallback, Tally};
//!
//! let log = "\
//! [pid 31774] brk(0x26d3000)              = 0x26b2000
//! [pid 31774] mmap(NULL, 1048576, PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0) = 0x7f6c927c3000
//! ";
//! let mut reader = StraceLog::new((Tally::default(), Fallback::default()));
//! reader.read("trace.txt", log.as_bytes())?;
//! let (tally, fallback) = reader.finish().sink;
//! assert_eq!(tally.get(Syscall::Brk).failed, 1);
//! assert_eq!(fallback.bytes(), 1_048_576);
//! # Ok::<(), strace_log::LogError>(())
//! ```
//!
//! # References
//! strace(1); strace 4.5 to 6.1, `src/strace.c`, `src/syscall.c`

#![forbid(unsafe_code)]

#[cfg(test)]
use suite as _;

mod arguments;
mod beginning;
mod clock;
mod constants;
mod dates;
mod decode;
mod error;
mod foreign;
mod frames;
mod input;
mod limit;
mod line;
mod lines;
mod merge;
mod note;
mod numbers;
mod outcome;
mod prefix;
mod teller;
mod threads;
mod unread;
mod value;
mod waiting;
mod wrapping;
mod writer;

pub use error::LogError;
pub use note::LogNote;
pub use unread::{Example, Unread};
pub use writer::Writer;

use std::io::Read;

use input::Input;
use lines::Lines;
use memory_event::{Ending, Sink};
use teller::LogDecoder;
use wrapping::Wrapping;

/// What is read at a time.
const BUFFER_BYTES: usize = 128 * 1024;

/// Reads logs and tells their events to a sink.
#[derive(Debug)]
pub struct StraceLog<S> {
    teller: LogDecoder<S>,
    lines: u64,
}

/// What [`StraceLog::finish`] gives back.
#[derive(Debug)]
#[non_exhaustive]
pub struct ReadLog<S> {
    /// The sink, with what it remembers.
    pub sink: S,
    /// How the first process ended, if the log tells.
    pub ending: Option<Ending>,
    /// Lines that were read.
    pub lines: u64,
    /// Lines that could not be read.
    pub unread: Unread,
    /// What the log does not tell.
    pub notes: Vec<LogNote>,
    /// Watched calls of which the log has the end but not the beginning.
    pub lost_events: u64,
}

impl<S: Sink> StraceLog<S> {
    /// A reader that tells what it reads to `sink`.
    pub fn new(sink: S) -> Self {
        Self {
            teller: LogDecoder::new(sink),
            lines: 0,
        }
    }

    /// Reads a log to its end. `name` is how errors and examples call it.
    ///
    /// It needs no buffer of its own: pieces of 128 KiB are read. Several logs read one after
    /// another are told as one.
    ///
    /// # Errors
    /// The input can't be read, or it is no log: see [`LogError`]. What was told until then has
    /// been told.
    pub fn read(&mut self, name: &str, input: impl Read) -> Result<(), LogError> {
        let mut log = Input::new(name);
        let mut lines = Lines::new(input, BUFFER_BYTES);
        let mut wrapping = beginning::look(&mut log, &mut lines)?;
        self.read_rest(&mut log, &mut lines, &mut wrapping)?;
        self.finish_one(log, &lines, &wrapping)
    }

    /// Reads the logs of one run that strace wrote for each thread (`-ff`), by their names, which
    /// end in the id of the thread: `log.1234`.
    ///
    /// They are merged by time if all have times of the day or of a date (`-t`, `-tt`, `-ttt`);
    /// otherwise they are told one after another in the given order, and [`LogNote::NotMerged`] says
    /// so. The first one is taken for the first process.
    ///
    /// # Errors
    /// As of [`read`](Self::read), for the first log that is none.
    pub fn read_together<R: Read>(&mut self, logs: Vec<(String, R)>) -> Result<(), LogError> {
        merge::read(self, logs)
    }

    fn read_rest<R: Read>(
        &mut self,
        log: &mut Input,
        lines: &mut Lines<R>,
        wrapping: &mut Wrapping,
    ) -> Result<(), LogError> {
        while let Some(line) = lines.next_line().map_err(|source| log.failed(source))? {
            let line = wrapping.off(line, &mut log.tid);
            self.teller.line(log, line);
        }
        Ok(())
    }

    fn finish_one<R>(
        &mut self,
        mut log: Input,
        lines: &Lines<R>,
        wrapping: &Wrapping,
    ) -> Result<(), LogError> {
        self.teller.end_of(&mut log);
        self.teller.notes.wrapped(wrapping);
        self.teller.notes.long_lines += lines.cut;
        self.lines += log.line;
        log.finish()
    }

    /// Gives back the sink and what there is to say about the logs.
    pub fn finish(self) -> ReadLog<S> {
        let LogDecoder {
            sink,
            notes,
            unread,
            ending,
            lost_events,
            ..
        } = self.teller;
        ReadLog {
            sink,
            ending,
            lines: self.lines,
            unread,
            notes: notes.into_list(),
            lost_events,
        }
    }
}

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
