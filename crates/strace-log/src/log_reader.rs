//! Reads logs from their first line to their last.

use std::io::{self, Read};

use crate::error::LogError;
use crate::note::{LogNote, Unread};

use crate::input::Input;
use crate::lines::Lines;
use crate::teller::LogDecoder;
use crate::wrapping::Wrapping;
use memory_event::{Ending, Sink};

/// What is read at a time.
const BUFFER_BYTES: usize = 128 * 1024;

/// Reads logs and tells their events to a sink.
#[derive(Debug)]
pub struct StraceLog<S> {
    pub(super) teller: LogDecoder<S>,
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
        Self { teller: LogDecoder::new(sink), lines: 0 }
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
        let mut wrapping = crate::beginning::look(&mut log, &mut lines)?;
        self.read_rest(&mut log, &mut lines, &mut wrapping)?;
        self.finish_one(log, &lines, &wrapping)
    }

    pub(super) fn read_rest<R: Read>(
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

    pub(super) fn finish_one<R>(
        &mut self,
        mut log: Input,
        lines: &Lines<R>,
        wrapping: &Wrapping,
    ) -> Result<(), LogError> {
        self.teller.end_of(&mut log);
        self.teller.notes.wrapped(wrapping);
        self.teller.notes.long_lines += lines.cut;
        self.lines += log.line;
        if lines.ended_early {
            if log.recognised == 0 {
                return Err(log.failed(io::ErrorKind::UnexpectedEof.into()));
            }
            self.teller.notes.cut_off += 1;
        }
        log.finish()
    }

    /// Gives back the sink and what there is to say about the logs.
    pub fn finish(self) -> ReadLog<S> {
        let LogDecoder { sink, notes, unread, ending, lost_events, .. } = self.teller;
        ReadLog { sink, ending, lines: self.lines, unread, notes: notes.into_list(), lost_events }
    }
}
