//! Who made memory grow: by kind, by the file that was being read, by the stack.
//!
//! *Growth* is private writable memory that a process asked the kernel for. What it gave back is
//! taken off again, so that the kinds add up to the change that `/proc/PID/maps` shows: memory that
//! was there before (program data, what a fork inherited) counts only when it goes, and the stack,
//! which grows without being asked for, does not count.
//!
//! A file's growth is what was asked for, less what was given back, while it was being read.

mod files;
mod greatest;
mod kind;
mod layout;
mod low;
mod memory;
mod overtaken;
mod process;
mod ranges;
mod reading;
mod stacks;

pub use files::FileGrowth;
pub use kind::{ByKind, Kind};
pub use layout::{Blocker, Layout, Part};
pub use low::LOW_END;
pub(in crate::story) use low::MAP_32BIT;
pub use stacks::StackGrowth;

use std::collections::HashMap;

use super::after_refusal::{AfterRefusal, Means};
use super::timeline::Timeline;
use crate::event::ids::SpreadIds;
use crate::event::{Call, Event, Refusal, Sink, Stack, Syscall, What};
use files::Files;
use greatest::Greatest;
use memory::{Change, Memory};
use process::Process;
use stacks::Stacks;

/// Growth over all processes and threads.
#[derive(Debug, Default)]
pub struct Growth {
    processes: HashMap<i32, Process, SpreadIds>,
    /// Of all processes that run now.
    now: ByKind,
    peak: ByKind,
    /// Of programs that ended, at their end.
    ended: ByKind,
    asked_bytes: u64,
    returned_bytes: u64,
    without_file_bytes: i64,
    after_refusal: AfterRefusal,
    files: Files,
    stacks: Stacks,
    timeline: Timeline,
    greatest: Greatest,
    blockers: Vec<SeenBlocker>,
}

/// A mapping that `/proc` showed above a refused break, and how it had come.
#[derive(Debug)]
struct SeenBlocker {
    pid: i32,
    start: u64,
    kind: Kind,
}

/// So many of them are remembered; a source tells one of each program.
const MOST_BLOCKERS: usize = 64;

impl Growth {
    /// What each program still had at its end, or has now, of what came to it while it was
    /// watched.
    pub fn by_kind(&self) -> ByKind {
        let mut sum = self.ended;
        sum += &self.now;
        sum
    }

    /// The most that all processes together had at one moment.
    pub fn peak(&self) -> ByKind {
        self.peak
    }

    /// Bytes that were asked for in all, whatever became of them.
    pub fn asked_bytes(&self) -> u64 {
        self.asked_bytes
    }

    /// Bytes that were given back before the program's end.
    pub fn returned_bytes(&self) -> u64 {
        self.returned_bytes
    }

    /// The files that were read, those that made most grow first, then those opened most often.
    pub fn by_file(&self) -> Vec<&FileGrowth> {
        let mut files: Vec<_> = self.files.iter().collect();
        files.sort_by(|a, b| {
            let order = |file: &FileGrowth| (file.bytes(), file.asked_bytes, file.opens);
            order(b).cmp(&order(a)).then_with(|| a.path.cmp(&b.path))
        });
        files
    }

    /// What was asked for, less what was given back, while the thread was reading no file.
    pub fn without_file_bytes(&self) -> i64 {
        self.without_file_bytes
    }

    /// How many files found no place in the table (of 8,192).
    pub fn files_left_out(&self) -> u64 {
        self.files.left_out
    }

    /// Who asked, most first; empty unless the source was asked for stacks.
    pub fn by_stack(&self) -> Vec<&StackGrowth> {
        let mut stacks: Vec<_> = self.stacks.iter().collect();
        stacks.sort_by(|a, b| b.bytes.cmp(&a.bytes).then_with(|| a.frames.cmp(&b.frames)));
        stacks
    }

    /// Bytes that are in no stack: the table was full (of 16,384 stacks).
    pub fn stacks_left_out_bytes(&self) -> u64 {
        self.stacks.left_out_bytes
    }

    /// Bytes that were asked for without it being known who asked.
    pub fn without_stack_bytes(&self) -> u64 {
        self.stacks.unknown_bytes
    }

    /// Memory over time.
    pub fn timeline(&self) -> &Timeline {
        &self.timeline
    }

    /// From now on keep where the memory of the process that grows most lies, for
    /// [`layout`](Self::layout). It costs a copy of that process's ranges now and then.
    pub fn keep_layout(&mut self) {
        self.greatest.wanted = true;
    }

    /// Where the memory of the process that grew most lay when it had; `None` if nothing grew, or
    /// [`keep_layout`](Self::keep_layout) was not called before.
    pub fn layout(&self) -> Option<Layout> {
        let living = self.processes.iter();
        self.greatest
            .layout(living.map(|(pid, process)| (*pid, process)))
    }

    /// Somebody else, such as the watcher, mapped a page in this process: it may be in the break's
    /// way, but nobody asked for it.
    pub fn foreign_page(&mut self, pid: i32, range: std::ops::Range<u64>) {
        let process = self.processes.entry(pid).or_default();
        process.memory.foreign(range);
    }

    /// How the mapping came that begins here and blocked a break of this process, if the calls told
    /// and it was writable.
    pub(in crate::story) fn kind_of_blocker(&self, pid: i32, start: u64) -> Option<Kind> {
        let mut seen = self.blockers.iter();
        let found = seen.find(|seen| (seen.pid, seen.start) == (pid, start));
        found.map(|seen| seen.kind)
    }

    /// The file that a point of the [timeline](Self::timeline) names.
    ///
    /// # Panics
    /// If no point names that number.
    pub fn file(&self, file: usize) -> &FileGrowth {
        self.files.get(file)
    }

    fn called(&mut self, event: &Event, call: &Call, is_fallback: bool) {
        let process = self.processes.entry(event.pid).or_default();
        if call.syscall.is_memory() {
            if process.memory.may_go(call) {
                self.greatest.before_less(event.pid, process);
            }
            if call.syscall == Syscall::Brk && call.failed() {
                process.refused(call);
            }
            let change = process.memory.take(call, is_fallback);
            if change != Change::default() {
                self.changed(event, &change, call.stack.as_deref());
            }
        } else if let (true, Ok(fd), Some(path)) =
            (reading::is_for_reading(call), call.result, &call.path)
        {
            self.opened(event, fd as i32, path);
        } else if call.syscall.is_open() {
            // For writing: whatever was read under this number isn't any more.
            if let Ok(fd) = call.result {
                let before = process.reading.closed(fd as i32);
                self.closed(before);
            }
        } else if call.syscall == Syscall::Close && call.result != Err(libc::EBADF) {
            let before = process.reading.closed(call.args[0] as i32);
            self.closed(before);
        }
    }

    fn opened(&mut self, event: &Event, fd: i32, path: &[u8]) {
        let file = self.files.opened(path);
        for given_up in self.files.given_up() {
            for process in self.processes.values_mut() {
                process.reading.forget(given_up);
            }
        }
        let process = self.processes.entry(event.pid).or_default();
        let before = match file {
            Some(file) => {
                let times = process.reading.count(file);
                self.files.opened_by_one(file, times);
                process.reading.opened(event.tid, fd, file)
            }
            None => process.reading.closed(fd),
        };
        self.closed(before);
    }

    fn changed(&mut self, event: &Event, change: &Change, stack: Option<&Stack>) {
        let Some(process) = self.processes.get_mut(&event.pid) else {
            return;
        };
        process.changed(event.at, &change.by_kind);
        let file = process.reading.current(event.tid);
        self.now += &change.by_kind;
        self.asked_bytes += change.asked_bytes;
        self.returned_bytes += change.returned_bytes;
        if self.now.total() > self.peak.total() {
            self.peak = self.now;
        }
        match file {
            Some(file) => self.files.changed(file, change),
            None => self.without_file_bytes += change.by_kind.total(),
        }
        if change.asked_bytes > 0 {
            self.stacks.grew(stack, change.asked_bytes);
        }
        self.timeline
            .changed(event.at, &self.now, file, change.asked_bytes);
    }

    fn surrounded(&mut self, pid: i32, surroundings: &Refusal) {
        let process = self.processes.entry(pid).or_default();
        process.surrounded(surroundings);
        if let Some(blocker) = &process.in_the_way.blocker
            && let (Some(kind), Some(mapping)) = (blocker.kind, &blocker.mapping)
            && mapping.permissions.write
            && self.blockers.len() < MOST_BLOCKERS
        {
            let start = mapping.start;
            self.blockers.push(SeenBlocker { pid, start, kind });
        }
    }

    fn closed(&mut self, files: impl IntoIterator<Item = usize>) {
        for file in files {
            self.files.closed(file);
        }
    }

    /// A program ended, or another took its place in the process.
    fn program_ended(&mut self, event: &Event) {
        let Some(process) = self.processes.remove(&event.pid) else {
            return;
        };
        self.closed(process.reading.files());
        let held = process.held;
        self.greatest.ended(event.pid, &process);
        if held == ByKind::default() {
            return;
        }
        self.ended += &held;
        for (kind, bytes) in held.iter() {
            self.now[kind] -= bytes;
        }
        self.timeline.changed(event.at, &self.now, None, 0);
    }
}

impl Sink for Growth {
    fn take(&mut self, event: &Event) {
        let means = self.after_refusal.take(event);
        match &event.what {
            What::Call(call) => self.called(event, call, matches!(means, Means::Fallback(_))),
            What::Memory(found) => {
                let memory = Memory::found(&found.ranges, found.program_break);
                self.processes.entry(event.pid).or_default().memory = memory;
            }
            What::Forked {
                child,
                thread: false,
            } => {
                let memory = self
                    .processes
                    .get(&event.pid)
                    .map(|parent| parent.memory.inherited())
                    .unwrap_or_default();
                let process = Process {
                    memory,
                    ..Process::default()
                };
                self.processes.insert(*child, process);
            }
            What::Refused(surroundings) => self.surrounded(event.pid, surroundings),
            What::Exec { .. } => self.program_ended(event),
            What::Exited(_) if event.pid == event.tid => self.program_ended(event),
            What::Exited(_) => {
                if let Some(process) = self.processes.get_mut(&event.pid) {
                    let files = process.reading.ended(event.tid);
                    self.closed(files);
                }
            }
            What::Started | What::Forked { thread: true, .. } => {}
        }
    }
}

#[cfg(test)]
mod tests;
