//! Who comes, what they become, and who goes.

use super::super::input::Input;
use super::super::prefix::{self, Prefix};
use super::super::threads::Origin;
use super::super::waiting::Answer;
use super::LogDecoder;
use memory_event::{Ending, Sink, Syscall, What};

impl<S: Sink> LogDecoder<S> {
    /// Who made a line; introduced to the sink if it is new. Sets the time.
    pub(super) fn speaker(
        &mut self,
        input: &mut Input,
        prefix: Prefix<'_>,
        resumes_birth: bool,
    ) -> i32 {
        if let Some(time) = prefix.time {
            if !input.clock.counts_every_line() {
                input.clock.advance(time);
            }
            self.at = self.since.beginning(input.clock.now());
        }
        let tid = match (prefix.tid, input.tid) {
            (Some(tid), _) => self.threads.named(tid, resumes_birth),
            (None, Some(tid)) => tid,
            (None, None) => self.threads.nameless(),
        };
        self.notes.others_speak |= self.threads.root().is_some_and(|root| root != tid);
        if !self.threads.is_known(tid) {
            let first = self.threads.root().is_none();
            match self.threads.first_seen(tid) {
                Origin::Known(by) => {
                    let thread = by.thread;
                    let what = What::Forked { child: tid, thread };
                    self.tell(by.parent_pid, by.parent_tid, what);
                }
                Origin::Open => self.waiting.open(tid, self.at),
                Origin::Nowhere if first => {}
                Origin::Nowhere => self.notes.appeared(tid),
            }
        }
        tid
    }

    /// A call has come back and names the one that it made.
    pub(super) fn made(&mut self, parent_pid: i32, parent_tid: i32, child: i32, thread: bool) {
        self.notes.made += 1;
        if self.waiting.is_open(child) {
            let answer = Answer { parent_pid, parent_tid, thread };
            self.answer(child, Some(answer), true);
        } else if self.threads.made(parent_tid, child, thread) {
            self.tell(parent_pid, parent_tid, What::Forked { child, thread });
        }
    }

    /// It has become known where one comes from that has spoken already; or nobody will say.
    fn answer(&mut self, child: i32, answer: Option<Answer>, told: bool) {
        self.threads.answered(child, answer, told);
        if answer.is_none() {
            self.notes.appeared(child);
        }
        self.waiting.close(child, answer, &mut self.sink);
    }

    /// Takes the likeliest for it.
    pub(super) fn guess(&mut self, child: i32) {
        let guessed = self.threads.guessed(child);
        self.notes.parents_guessed += u64::from(guessed.is_some());
        self.answer(child, guessed.map(|(answer, _)| answer), false);
    }

    /// Nobody is making one any more: nobody will say where those come from that still wait.
    pub(super) fn no_answer_left(&mut self) {
        if self.threads.is_making() {
            return;
        }
        while let Some(child) = self.waiting.first_open() {
            self.answer(child, None, false);
        }
    }

    pub(super) fn executed(&mut self, pid: i32, former_tid: i32, by: Syscall) {
        if self.waiting.is_open(pid) {
            // A thread would go on under its process's id.
            let guessed = self.threads.guessed(pid);
            self.notes.parents_guessed += u64::from(guessed.is_some_and(|(_, doubtful)| doubtful));
            self.answer(pid, guessed.map(|(answer, _)| answer), false);
        }
        self.threads.executed(pid);
        if self.begun {
            self.tell(pid, pid, What::Exec { by, former_tid });
        } else {
            self.begun = true;
            self.tell(pid, pid, What::Started);
        }
    }

    pub(super) fn ended(&mut self, tid: i32, ending: Ending) {
        if self.threads.root() == Some(tid) {
            self.ending = Some(ending);
        }
        let pid = self.threads.gone(tid);
        self.tell(pid, tid, What::Exited(ending));
        self.no_answer_left();
    }

    /// strace's own words. Only those about who is followed matter.
    pub(super) fn message(&mut self, message: &[u8]) {
        let Some(about) = message.strip_prefix(b"Process ") else {
            return;
        };
        let end = about.iter().position(|byte| !byte.is_ascii_digit());
        let (number, what) = about.split_at(end.unwrap_or(about.len()));
        let Some(tid) = prefix::tid(number) else {
            return;
        };
        if what.starts_with(b" attached") {
            self.threads.attached(tid);
        } else if what.starts_with(b" detached") {
            let tid = self.threads.named(tid, true);
            self.threads.gone(tid);
        }
    }
}
