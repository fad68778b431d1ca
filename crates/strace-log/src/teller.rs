//! From lines to events.

mod life;

use std::sync::Arc;
use std::time::Duration;

use super::clock::Since;
use super::constants::signal_number;
use super::decode::{Decoded, decode, makes_thread};
use super::frames::Frames;
use super::input::{Broken, Input};
use super::line::{Line, Wanted};
use super::note::{LogNotes, Unread};
use super::prefix::{Prefix, Prefixes};
use super::threads::{LogThreads, Pending};
use super::waiting::WaitingEvents;
use memory_event::{Ending, Event, Sink, Stack, Syscall, What};

/// Takes lines, tells events.
#[derive(Debug)]
pub(super) struct LogDecoder<S> {
    pub(super) sink: S,
    pub(super) notes: LogNotes,
    pub(super) unread: Unread,
    pub(super) ending: Option<Ending>,
    pub(super) lost_events: u64,
    prefixes: Prefixes,
    threads: LogThreads,
    waiting: WaitingEvents,
    since: Since,
    at: Duration,
    /// Something of the run was told or passed over.
    begun: bool,
    /// A call by which memory may grow, until it is known that no stack follows.
    held: Option<Event>,
    /// In which line it stands, where that is told.
    held_line: Option<u64>,
    stack: Vec<Arc<str>>,
    frames: Frames,
}

const UNFINISHED: &[u8] = b"<unfinished ...>";

impl<S: Sink> LogDecoder<S> {
    pub(super) fn new(sink: S) -> Self {
        Self {
            sink,
            notes: LogNotes::default(),
            unread: Unread::default(),
            ending: None,
            lost_events: 0,
            prefixes: Prefixes::default(),
            threads: LogThreads::default(),
            waiting: WaitingEvents::default(),
            since: Since::default(),
            at: Duration::ZERO,
            begun: false,
            held: None,
            held_line: None,
            stack: Vec::new(),
            frames: Frames::default(),
        }
    }

    /// Takes the next line of a log.
    #[inline]
    pub(super) fn line(&mut self, input: &mut Input, line: &[u8]) {
        input.line += 1;
        if let Some(frame) = Frames::in_line(line) {
            if self.held.is_some() {
                self.stack.push(self.frames.name(frame));
            }
            return;
        }
        if self.held.is_some() {
            self.release();
        }
        if input.in_summary && input.summary_goes_on(line) {
            return;
        }
        if input.broken.is_some() {
            return self.amid(input, line);
        }
        let prefix = self.prefixes.parse(line);
        if let Some(time) = prefix.time
            && input.clock.counts_every_line()
        {
            input.clock.advance(time);
        }
        match Line::of(prefix.rest) {
            // Nearly all lines end here.
            Line::Passed if !may_be_interrupted(prefix.rest) => {
                input.recognise(prefix.rest);
                if !self.begun {
                    self.begins_in_the_middle();
                }
            }
            other => self.looked_at(input, line, prefix, other),
        }
    }

    /// The end of a log: what is open will not be closed.
    pub(super) fn end_of(&mut self, input: &mut Input) {
        if let Some(broken) = input.broken.take()
            && broken.wanted.is_some()
        {
            self.unread.add(&input.name, input.line, &broken.text);
        }
        self.release();
        while let Some(child) = self.waiting.first_open() {
            self.guess(child);
        }
    }

    fn looked_at(&mut self, input: &mut Input, line: &[u8], prefix: Prefix<'_>, what: Line<'_>) {
        match what {
            Line::Passed | Line::Call(_) => {
                let wanted = match what {
                    Line::Call(wanted) => Some(wanted),
                    _ => None,
                };
                let tid = self.speaker(input, prefix, false);
                if let Some(head) = self.interrupted(prefix.rest) {
                    let text = head.to_vec();
                    input.recognise(prefix.rest);
                    input.broken = Some(Broken { tid, wanted, text });
                } else if let Some(wanted) = wanted {
                    self.call(input, tid, wanted, prefix.rest);
                } else {
                    input.recognise(prefix.rest);
                }
            }
            Line::Resumed(wanted, rest) => {
                input.recognised += 1;
                let tid = self.speaker(input, prefix, wanted == Wanted::Birth);
                self.resumed(input, tid, wanted, rest);
            }
            Line::End(how) => {
                input.recognised += 1;
                match ending(how) {
                    Some(ending) => {
                        let tid = self.speaker(input, prefix, false);
                        self.ended(tid, ending);
                    }
                    None if how.starts_with(b"superseded by execve") => {}
                    None => self.unread(input, line),
                }
            }
            Line::Signal => input.recognised += 1,
            Line::Message(message) => {
                input.doubt(line);
                self.message(message);
            }
            Line::Summary => {
                input.summary = true;
                input.in_summary = true;
            }
            Line::Rest => input.doubt(line),
            Line::Blank => {}
            Line::Foreign => self.unread(input, line),
        }
    }

    /// The rest of a line that was interrupted.
    fn amid(&mut self, input: &mut Input, line: &[u8]) {
        if let Line::Message(message) = Line::of(line) {
            return self.message(message);
        }
        if let Some(mut broken) = input.broken.take()
            && let Some(wanted) = broken.wanted
        {
            broken.text.extend_from_slice(line);
            self.call(input, broken.tid, wanted, &broken.text);
        }
    }

    fn call(&mut self, input: &mut Input, tid: i32, wanted: Wanted, text: &[u8]) {
        if let Some(beginning) = text.strip_suffix(UNFINISHED) {
            input.recognised += 1;
            if wanted == Wanted::Birth {
                self.threads.making(tid, makes_thread(beginning));
            }
            let text = beginning.trim_ascii_end().to_vec();
            self.set_pending(tid, Some(Pending { wanted, text }));
        } else if text.ends_with(b"<detached ...>") || text.ends_with(b"<unavailable>) = ?") {
            input.recognised += 1;
        } else {
            self.whole(input, tid, tid, wanted, text);
        }
    }

    fn resumed(&mut self, input: &mut Input, tid: i32, wanted: Wanted, rest: &[u8]) {
        let executes = matches!(wanted, Wanted::Watched(Syscall::Execve | Syscall::Execveat));
        let begun = |pending: &Pending| pending.wanted == wanted;
        let own = self.threads.pending_of(tid).is_some_and(begun);
        // A thread that executes a program goes on under its process's id.
        let former = match executes && !own {
            true => self.threads.fellow_in(tid, wanted),
            false => None,
        };
        let former = former.unwrap_or(tid);
        match self.set_pending(former, None).filter(begun) {
            Some(mut pending) => {
                pending.text.extend_from_slice(rest);
                self.whole(input, tid, former, wanted, &pending.text);
            }
            // What it returned is enough to know the child.
            None if wanted == Wanted::Birth => {
                let text = [b"clone(", rest].concat();
                self.whole(input, tid, tid, wanted, &text);
            }
            None if rest.ends_with(b" = ?") => {}
            None => self.lost_events += 1,
        }
    }

    /// A call that has a beginning and an end.
    fn whole(&mut self, input: &mut Input, tid: i32, former: i32, wanted: Wanted, text: &[u8]) {
        if wanted == Wanted::Birth {
            self.threads.made_nothing(tid);
        }
        let Some(decoded) = decode(wanted, text) else {
            // The oldest strace says how the thread ended in its last call.
            if memchr::memmem::find(text, b"<unfinished ... exit status").is_none() {
                self.unread(input, text);
            }
            return;
        };
        input.recognised += 1;
        let pid = self.threads.pid_of(tid);
        match decoded {
            Decoded::Call { call, unknown, cut_path } => {
                self.notes.cut_paths += u64::from(cut_path);
                self.notes.injected += u64::from(text.ends_with(b" (INJECTED)"));
                if let Some(name) = unknown {
                    let first = || (String::from_utf8_lossy(name).into_owned(), 0);
                    self.notes.unknown_name.get_or_insert_with(first).1 += 1;
                }
                let grows = matches!(call.syscall, Syscall::Brk | Syscall::Mmap | Syscall::Mremap);
                let placed = call.syscall == Syscall::Mmap && call.args[0] != 0;
                self.held_line = (placed && input.tid.is_none()).then_some(input.line);
                let event = self.event(pid, tid, What::Call(call));
                match grows {
                    true => self.held = Some(event),
                    false => self.send(event),
                }
            }
            Decoded::Executed { by, path } => {
                self.executed(pid, former, by);
                path.into_iter().for_each(|path| self.tell(pid, pid, What::Program(path)));
            }
            Decoded::Made { child, thread } => self.made(pid, tid, child, thread),
            Decoded::Limited { whose: 0, limit } => self.tell(pid, tid, What::Limit(limit)),
            Decoded::Limited { whose, limit } => {
                // Of a process that isn't in the log it tells nothing.
                if let Some(thread) = self.threads.get_mut(whose) {
                    let pid = thread.pid;
                    self.tell(pid, pid, What::Limit(limit));
                }
            }
            Decoded::Nothing => {}
        }
        if wanted == Wanted::Birth {
            self.no_answer_left();
        }
    }

    /// The part of a call that was written before strace interrupted itself to say who is
    /// attached: `close(3strace: Process 29868 attached`.
    fn interrupted<'a>(&mut self, text: &'a [u8]) -> Option<&'a [u8]> {
        if !may_be_interrupted(text) {
            return None;
        }
        let message = memchr::memmem::rfind(text, b"Process ")?;
        self.message(&text[message..]);
        let head = &text[..message];
        Some(head.strip_suffix(b"strace: ").unwrap_or(head))
    }

    fn set_pending(&mut self, tid: i32, pending: Option<Pending>) -> Option<Pending> {
        let thread = self.threads.get_mut(tid)?;
        std::mem::replace(&mut thread.pending, pending)
    }

    fn begins_in_the_middle(&mut self) {
        self.begun = true;
        self.notes.begins_in_the_middle = true;
    }

    fn unread(&mut self, input: &mut Input, line: &[u8]) {
        input.doubt(line);
        self.unread.add(&input.name, input.line, line);
    }

    fn event(&mut self, pid: i32, tid: i32, what: What) -> Event {
        if !self.begun {
            self.begins_in_the_middle();
        }
        let at = self.at;
        Event::new(pid, tid, at, what)
    }

    fn tell(&mut self, pid: i32, tid: i32, what: What) {
        let event = self.event(pid, tid, what);
        self.send(event);
    }

    /// Hands an event on, or lets it wait with those before it.
    #[inline]
    fn send(&mut self, event: Event) {
        if self.waiting.is_empty() {
            return self.sink.take(&event);
        }
        self.waiting.push(event);
        while self.waiting.is_full()
            && let Some(child) = self.waiting.first_open()
        {
            self.guess(child);
        }
    }

    /// Tells the event that was held back, with the stack that followed it.
    fn release(&mut self) {
        let Some(mut event) = self.held.take() else {
            return;
        };
        if let (What::Call(call), false) = (&mut event.what, self.stack.is_empty()) {
            let frames = std::mem::take(&mut self.stack);
            call.stack = Some(Arc::new(Stack::new(frames, false, None)));
        }
        let (pid, tid) = (event.pid, event.tid);
        self.send(event);
        if let Some(line) = self.held_line.take() {
            self.tell(pid, tid, What::Line(line));
        }
    }
}

/// Whether strace may have written about others into this line.
#[inline]
fn may_be_interrupted(text: &[u8]) -> bool {
    // Nearly all lines end in a digit.
    matches!(text.last(), Some(b'd' | b')'))
        && (text.ends_with(b" attached") || text.ends_with(b" attached (waiting for parent)"))
}

/// `exited with 0`, `killed by SIGSEGV (core dumped)`.
fn ending(how: &[u8]) -> Option<Ending> {
    if let Some(code) = how.strip_prefix(b"exited with ") {
        let code = str::from_utf8(code).ok()?.parse().ok()?;
        return Some(Ending::Code(code));
    }
    let name = how.strip_prefix(b"killed by ")?;
    let (name, core_dumped) = match name.strip_suffix(b" (core dumped)") {
        Some(name) => (name, true),
        None => (name, false),
    };
    Some(Ending::Signal { signal: signal_number(name)?, core_dumped })
}
