//! Events that wait until it is known whose they are.
//!
//! Up to strace 5 a `clone` tells what it makes when it has returned. A new one that speaks before
//! (`clone( <unfinished ...>`, its own calls, `<... clone resumed> …|CLONE_THREAD…`) may be a thread
//! or a process. From its first line on all events wait, in their order, for that answer.

use std::collections::VecDeque;

use memory_event::{Event, Sink, What};

/// So many events wait at most, so that memory stays bounded if the answer never comes.
pub(super) const MOST_EVENTS: usize = 16 * 1024;

/// What waits, and for whom.
#[derive(Debug, Default)]
pub(super) struct WaitingEvents {
    events: VecDeque<Event>,
    /// The new ones that nobody has named yet. In `events` each begins with a birth of which it is
    /// itself the parent, which holds the place of the true one.
    open: Vec<i32>,
}

/// Who made a new one, and what it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) parent_pid: i32,
    pub(super) parent_tid: i32,
    pub(super) thread: bool,
}

impl WaitingEvents {
    /// A new one has spoken: wait for who made it.
    pub(super) fn open(&mut self, child: i32, at: std::time::Duration) {
        self.open.push(child);
        let thread = false;
        let birth = What::Forked { child, thread };
        self.events.push_back(Event::new(child, child, at, birth));
    }

    /// Whether it is waited for this one's maker.
    pub(super) fn is_open(&self, child: i32) -> bool {
        self.open.contains(&child)
    }

    /// The one that was waited for longest.
    pub(super) fn first_open(&self) -> Option<i32> {
        self.open.first().copied()
    }

    /// Whether events wait.
    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.events.is_empty()
    }

    /// Whether so many wait that an answer has to be guessed.
    pub(super) fn is_full(&self) -> bool {
        self.events.len() >= MOST_EVENTS
    }

    pub(super) fn push(&mut self, event: Event) {
        self.events.push_back(event);
    }

    /// The answer has come, or none will (`None`): tells what waited for it alone.
    pub(super) fn close(&mut self, child: i32, answer: Option<Answer>, sink: &mut impl Sink) {
        self.open.retain(|open| *open != child);
        let is_its_birth = |event: &Event| {
            event.tid == child
                && matches!(event.what, What::Forked { child: of, .. } if of == child)
        };
        match answer {
            Some(answer) => {
                for event in &mut self.events {
                    if is_its_birth(event) {
                        event.pid = answer.parent_pid;
                        event.tid = answer.parent_tid;
                        let thread = answer.thread;
                        event.what = What::Forked { child, thread };
                    } else if answer.thread && event.pid == child {
                        event.pid = answer.parent_pid;
                    }
                }
            }
            None => self.events.retain(|event| !is_its_birth(event)),
        }
        while let Some(event) = self.events.front()
            && !self.holds_a_place(event)
        {
            sink.take(event);
            self.events.pop_front();
        }
    }

    fn holds_a_place(&self, event: &Event) -> bool {
        matches!(event.what, What::Forked { child, .. } if child == event.tid && self.is_open(child))
    }
}
