//! Whose line it is, and which process a thread belongs to.
//!
//! A log knows thread ids only, and not always: without `-f` there are none, and a log written to
//! standard error names nobody as long as only one is left.

use std::collections::{BTreeSet, HashMap, HashSet};

use super::line::Wanted;
use super::waiting::Answer;
use rustc_hash::FxBuildHasher;

/// The id of a first process that the log doesn't name.
pub(super) const NAMELESS: i32 = 0;

/// A call that has begun.
#[derive(Clone, Debug)]
pub(super) struct Pending {
    pub(super) wanted: Wanted,
    /// The line up to where it breaks off.
    pub(super) text: Vec<u8>,
}

/// What is remembered of a thread.
#[derive(Clone, Debug)]
pub(super) struct LogThread {
    /// Its process.
    pub(super) pid: i32,
    /// The watched call it is in.
    pub(super) pending: Option<Pending>,
}

impl LogThread {
    fn of(pid: i32) -> Self {
        Self { pid, pending: None }
    }
}

/// Where a new one comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// Nobody is making one.
    Nowhere,
    /// This one has made it.
    Known(Answer),
    /// Somebody is making one; who, or what it is, only the end of the call will tell.
    Open,
}

/// All threads that are alive as far as the log tells.
#[derive(Debug, Default)]
pub(super) struct LogThreads {
    threads: HashMap<i32, LogThread, FxBuildHasher>,
    /// The thread of the last line, if it is known.
    last: Option<i32>,
    /// Those that lines were seen of.
    speaking: BTreeSet<i32>,
    /// Those that are in the midst of making another, and whether that is a thread, if the log
    /// told.
    making: Vec<(i32, Option<bool>)>,
    /// Those that were introduced before their parent's call came back, which will name them
    /// again; they may have ended by then.
    early: HashSet<i32>,
    /// Those that appeared without a call that made them, which may be told later nevertheless.
    unannounced: HashSet<i32>,
    /// Those that strace attached to and that have not been heard of since.
    announced: HashSet<i32>,
    /// The log says whom strace attached to.
    announces: bool,
    /// The number that the nameless first process turned out to have.
    alias: Option<i32>,
    /// The first that was heard of.
    root: Option<i32>,
}

impl LogThreads {
    /// The first process that was heard of.
    pub(super) fn root(&self) -> Option<i32> {
        self.root
    }

    pub(super) fn get_mut(&mut self, tid: i32) -> Option<&mut LogThread> {
        self.threads.get_mut(&tid)
    }

    pub(super) fn pending_of(&self, tid: i32) -> Option<&Pending> {
        self.threads.get(&tid)?.pending.as_ref()
    }

    /// Another thread of the same process that is in this call.
    pub(super) fn fellow_in(&self, tid: i32, wanted: Wanted) -> Option<i32> {
        let pid = self.pid_of(tid);
        let is_in = |thread: &LogThread| {
            let pending = thread.pending.as_ref();
            thread.pid == pid && pending.is_some_and(|pending| pending.wanted == wanted)
        };
        let found = self.threads.iter().find(|(_, thread)| is_in(thread));
        found.map(|(tid, _)| *tid)
    }

    pub(super) fn pid_of(&self, tid: i32) -> i32 {
        self.threads.get(&tid).map_or(tid, |thread| thread.pid)
    }

    /// Who speaks in a line without an id: the only one left.
    pub(super) fn nameless(&self) -> i32 {
        let root = self.root.filter(|root| self.speaking.contains(root));
        match (self.speaking.len(), root) {
            (1, _) | (_, None) => *self.speaking.first().unwrap_or(&NAMELESS),
            (_, Some(root)) => root,
        }
    }

    /// The thread that a line names; the nameless first one, once its number is seen.
    pub(super) fn named(&mut self, tid: i32, resumes_birth: bool) -> i32 {
        if self.last == Some(tid) {
            return tid;
        }
        if self.alias == Some(tid) {
            return NAMELESS;
        }
        // One that strace said it had attached to is new. If it never says so (`-q`), one that
        // appears while another is being made is that.
        let is_new = self.announced.contains(&tid)
            || (!self.announces && !resumes_birth && !self.making.is_empty());
        if self.alias.is_none()
            && !is_new
            && !self.threads.contains_key(&tid)
            && self.threads.contains_key(&NAMELESS)
        {
            self.alias = Some(tid);
            return NAMELESS;
        }
        tid
    }

    /// strace says that it follows this one from now on.
    pub(super) fn attached(&mut self, tid: i32) {
        // Only the first can be the one that later lines without an id are of. All others are
        // introduced by the call that made them, or by their own first line.
        if self.root.is_none() {
            self.enter(tid, tid);
        } else {
            self.announces = true;
            self.announced.insert(tid);
        }
    }

    /// Whether a thread is known, and if so, marks it as one that speaks.
    pub(super) fn is_known(&mut self, tid: i32) -> bool {
        if self.last == Some(tid) {
            return true;
        }
        let known = self.threads.contains_key(&tid);
        if known {
            self.speaking.insert(tid);
            self.announced.remove(&tid);
            self.last = Some(tid);
        }
        known
    }

    /// A thread's first line. Enters it, for the present as a process unless it is known to be
    /// none, and tells where it comes from.
    pub(super) fn first_seen(&mut self, tid: i32) -> Origin {
        let origin = self.origin(tid);
        match origin {
            Origin::Known(answer) => {
                let pid = match answer.thread {
                    true => answer.parent_pid,
                    false => tid,
                };
                self.enter(tid, pid);
                self.early.insert(tid);
                // Whoever comes next is somebody else's.
                self.made_nothing(answer.parent_tid);
            }
            Origin::Open => self.enter(tid, tid),
            Origin::Nowhere => {
                if self.root.is_some() {
                    self.unannounced.insert(tid);
                }
                self.enter(tid, tid);
            }
        }
        origin
    }

    /// A call has come back and names the one that it made. False if that one was introduced.
    pub(super) fn made(&mut self, parent: i32, child: i32, thread: bool) -> bool {
        self.made_nothing(parent);
        if self.alias == Some(child) || self.early.remove(&child) {
            return false;
        }
        let pid = match thread {
            true => self.pid_of(parent),
            false => child,
        };
        if self.unannounced.remove(&child) && self.threads.contains_key(&child) {
            self.belongs_to(child, pid);
            return false;
        }
        self.last = None;
        self.threads.insert(child, LogThread::of(pid));
        self.speaking.remove(&child);
        true
    }

    /// The answer to where an [open](Origin::Open) one comes from. `told`: by the call that made it,
    /// which so won't name it again.
    pub(super) fn answered(&mut self, child: i32, answer: Option<Answer>, told: bool) {
        match answer {
            Some(answer) => {
                self.made_nothing(answer.parent_tid);
                if answer.thread {
                    self.belongs_to(child, answer.parent_pid);
                }
                if !told {
                    self.early.insert(child);
                }
            }
            None => drop(self.unannounced.insert(child)),
        }
    }

    /// What was taken for a process is a part of this one.
    fn belongs_to(&mut self, process: i32, pid: i32) {
        let threads = self.threads.values_mut();
        threads.filter(|thread| thread.pid == process).for_each(|thread| thread.pid = pid);
    }

    /// Who most likely made an [open](Origin::Open) one, as a process, and whether others may have.
    pub(super) fn guessed(&self, child: i32) -> Option<(Answer, bool)> {
        let makers = || self.making.iter().filter(|(tid, _)| *tid != child);
        let &(parent_tid, _) =
            makers().find(|(_, thread)| *thread != Some(true)).or_else(|| makers().next())?;
        let answer = Answer { parent_pid: self.pid_of(parent_tid), parent_tid, thread: false };
        Some((answer, makers().count() > 1))
    }

    /// Whether somebody is in the midst of making another.
    pub(super) fn is_making(&self) -> bool {
        !self.making.is_empty()
    }

    /// A thread has begun to make another, which is a thread or not, if that is known.
    pub(super) fn making(&mut self, tid: i32, thread: Option<bool>) {
        self.made_nothing(tid);
        self.making.push((tid, thread));
    }

    /// A call to make another has ended, whatever came of it.
    pub(super) fn made_nothing(&mut self, tid: i32) {
        self.making.retain(|(maker, _)| *maker != tid);
    }

    /// A thread has ended, or isn't followed any more. Gives its process.
    pub(super) fn gone(&mut self, tid: i32) -> i32 {
        let pid = self.pid_of(tid);
        self.last = None;
        self.announced.remove(&tid);
        self.unannounced.remove(&tid);
        self.threads.remove(&tid);
        self.speaking.remove(&tid);
        self.made_nothing(tid);
        pid
    }

    /// Its process has executed a program: it has no other threads any more.
    pub(super) fn executed(&mut self, pid: i32) {
        self.last = None;
        self.threads.retain(|tid, thread| thread.pid != pid || *tid == pid);
        let threads = &self.threads;
        self.speaking.retain(|tid| threads.contains_key(tid));
        self.making.retain(|(tid, _)| threads.contains_key(tid));
        if !self.threads.contains_key(&pid) {
            self.enter(pid, pid);
        }
    }

    fn enter(&mut self, tid: i32, pid: i32) {
        self.announced.remove(&tid);
        self.threads.insert(tid, LogThread::of(pid));
        self.speaking.insert(tid);
        self.root.get_or_insert(tid);
    }

    fn origin(&self, child: i32) -> Origin {
        let mut makers = self.making.iter().filter(|(tid, _)| *tid != child);
        let Some(&(parent_tid, kind)) = makers.next() else {
            return Origin::Nowhere;
        };
        let parent_pid = self.pid_of(parent_tid);
        let alike = |other: &(i32, _)| other.1 == kind && self.pid_of(other.0) == parent_pid;
        match kind {
            Some(thread) if makers.all(alike) => {
                Origin::Known(Answer { parent_pid, parent_tid, thread })
            }
            _ => Origin::Open,
        }
    }
}
