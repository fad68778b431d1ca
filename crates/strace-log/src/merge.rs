//! Several logs of one run, as one.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io::Read;

use super::beginning;
use super::error::LogError;
use super::input::Input;
use super::lines::Lines;
use super::log_reader::StraceLog;
use super::prefix::Prefix;
use super::wrapping::Wrapping;
use memory_event::Sink;

/// What is read at a time of each log: there may be thousands.
const BUFFER_BYTES: usize = 8 * 1024;

/// A log and its next line.
struct LogSource<R> {
    log: Input,
    lines: Lines<R>,
    wrapping: Wrapping,
    head: Option<Vec<u8>>,
}

impl<R: Read> LogSource<R> {
    fn new(name: &str, input: R) -> Result<Self, LogError> {
        let mut log = Input::of_one_thread(name);
        let mut lines = Lines::new(input, BUFFER_BYTES);
        let wrapping = beginning::look(&mut log, &mut lines)?;
        let mut source = Self { log, lines, wrapping, head: Some(Vec::new()) };
        source.next()?;
        Ok(source)
    }

    fn begins_with_its_program(&self) -> bool {
        self.head.as_deref().is_some_and(|head| Prefix::parse(head).rest.starts_with(b"execve("))
    }

    /// Whether it begins with what the C library does first in a new thread or a forked process.
    ///
    /// # References
    /// glibc 2.36, `nptl/pthread_create.c`, `start_thread`; `sysdeps/nptl/_Fork.c`
    fn begins_as_made(&self) -> bool {
        let first = [&b"set_robust_list("[..], b"rseq("];
        self.head.as_deref().is_some_and(|head| {
            let call = Prefix::parse(head).rest;
            first.iter().any(|name| call.starts_with(name))
        })
    }

    /// Goes to the next line. False if it has no time of its own: it belongs to the one before.
    fn next(&mut self) -> Result<bool, LogError> {
        let log = &mut self.log;
        let line = self.lines.next_line().map_err(|source| log.failed(source))?;
        let (Some(line), Some(head)) = (line, &mut self.head) else {
            self.head = None;
            return Ok(true);
        };
        head.clear();
        head.extend_from_slice(self.wrapping.off(line, &mut log.tid));
        let time = Prefix::parse(head).time;
        if let Some(time) = time {
            log.clock.advance(time);
        }
        Ok(time.is_some())
    }
}

impl<S: Sink> StraceLog<S> {
    /// Reads the logs of one run that strace wrote for each thread (`-ff`), by their names, which
    /// end in the id of the thread: `log.1234`.
    ///
    /// They are merged by time if all have times of the day or of a date (`-t`, `-tt`, `-ttt`);
    /// otherwise they are told one after another in the given order, and [`LogNote::NotMerged`](crate::LogNote::NotMerged) says
    /// so. The first one is taken for the first process, unless it begins as those do that others make
    /// and another begins with its program: ids come round.
    ///
    /// # Errors
    /// As of [`read`](Self::read), for the first log that is none.
    pub fn read_together<R: Read>(&mut self, logs: Vec<(String, R)>) -> Result<(), LogError> {
        let mut sources = Vec::with_capacity(logs.len());
        for (name, input) in logs {
            sources.push(LogSource::new(&name, input)?);
        }
        if sources.iter().all(|source| source.log.clock.is_absolute()) {
            merge(self, &mut sources)?;
        } else {
            if sources.len() > 1 {
                self.teller.notes.not_merged = Some(sources.len());
            }
            if sources.first().is_some_and(LogSource::begins_as_made)
                && let Some(first) = sources.iter().position(LogSource::begins_with_its_program)
            {
                sources[..=first].rotate_right(1);
            }
            for source in &mut sources {
                if let Some(head) = source.head.take() {
                    self.teller.line(&mut source.log, &head);
                }
                self.read_rest(&mut source.log, &mut source.lines, &mut source.wrapping)?;
            }
        }
        for source in sources {
            self.finish_one(source.log, &source.lines, &source.wrapping)?;
        }
        Ok(())
    }
}

fn merge<S: Sink, R: Read>(
    reader: &mut StraceLog<S>,
    sources: &mut [LogSource<R>],
) -> Result<(), LogError> {
    // At the same time, the log that was given first comes first.
    let begin = |(index, source): (usize, &LogSource<R>)| Reverse((source.log.clock.now(), index));
    let mut queue: BinaryHeap<_> = sources.iter().enumerate().map(begin).collect();
    while let Some(Reverse((_, index))) = queue.pop() {
        let source = &mut sources[index];
        while let Some(head) = &source.head {
            reader.teller.line(&mut source.log, head);
            if source.next()? {
                queue.push(Reverse((source.log.clock.now(), index)));
                break;
            }
        }
    }
    Ok(())
}
