//! Who made memory grow: by kind, by the file that was being read, by the stack.

mod files;
mod greatest;
pub(crate) mod kind;
pub(crate) mod layout;
mod memory;
mod near_break;
mod opening;
mod openings;
mod process;
mod ranges;
mod reading;
mod stacks;

pub use files::FileGrowth;
pub use kind::{ByKind, GrowthKind, LOW_END};
pub use layout::{Blocker, LayoutPart, MemoryLayout};
pub use near_break::MappedBy;
pub use opening::OpeningsByOne;
pub use openings::Openings;
pub use process::ProgramGrowth;
pub use stacks::StackGrowth;

use std::collections::HashMap;
use std::time::Duration;

use super::accounts::Accounts;
use super::after_refusal::{AfterRefusal, Means};
use super::refusals::{BrkFailure, Refused};
use super::timeline::Timeline;
use files::FileTable;
use greatest::Greatest;
use memory::{Change, TrackedMemory};
use memory_event::{Call, Event, Sink, Stack, Syscall, What};
use opening::Opening;
use process::{EndedPrograms, MOST_TOLD, ProcessGrowth};
use rustc_hash::FxBuildHasher;
use stacks::StackTable;

/// Growth over all processes and threads.
///
/// *Growth* is private writable memory that a process asked the kernel for. What it gave back is
/// taken off again, so that the kinds add up to the change that `/proc/PID/maps` shows: memory that
/// was there before (program data, what a fork inherited) counts only when it goes, and the stack,
/// which grows without being asked for, does not count.
///
/// A file's growth is what was asked for, less what was given back, while it was being read. Thread
/// stacks are never its, nor what so few bytes as were read can't explain, nor what came while it
/// was kept open until the program's end: that it was read then isn't known.
#[derive(Debug, Default)]
pub struct Growth {
    processes: HashMap<i32, ProcessGrowth, FxBuildHasher>,
    /// Of all processes that run now.
    now: ByKind,
    peak: ByKind,
    /// Of programs that ended, at their end.
    ended: ByKind,
    asked_bytes: u64,
    returned_bytes: u64,
    without_file_bytes: i64,
    after_refusal: AfterRefusal,
    files: FileTable,
    stacks: StackTable,
    timeline: Timeline,
    greatest: Greatest,
    ended_programs: EndedPrograms,
    /// Of programs that ended.
    refused: Vec<Refused>,
    /// When the last event came.
    last: Duration,
}

/// So many refused breaks of ended programs are kept.
const MOST_REFUSED: usize = 64;

/// What a process has, for whoever asks in the middle of it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Has {
    /// What it has asked for and not given back, in bytes.
    pub(crate) grown_bytes: i64,
    /// Of that, what lies below 2 GiB because it was asked for there.
    pub(crate) low_bytes: i64,
    pub(crate) accounts: Accounts,
}

impl Growth {
    /// What each program still had at its end, or has now, of what came to it while it was
    /// watched.
    pub fn by_kind(&self) -> ByKind {
        let mut sum = self.ended;
        sum += &self.now;
        sum
    }

    /// What the programs that have not ended have now of what came to them.
    pub fn now(&self) -> ByKind {
        self.now
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

    /// What each program asked for, those that grew most first: of those that run, the 64 that grew
    /// most, of those that have ended, the 64 that asked for most.
    pub fn by_process(&self) -> Vec<ProgramGrowth> {
        let mut all: Vec<_> = self.living().collect();
        all.sort_by_cached_key(ProgramGrowth::rank);
        all.truncate(MOST_TOLD);
        all.extend(self.ended_programs.kept.iter().cloned());
        all.sort_by_cached_key(ProgramGrowth::rank);
        all
    }

    /// Programs that aren't among those.
    pub fn programs_left_out(&self) -> u64 {
        self.ended_programs.left_out + self.living().count().saturating_sub(MOST_TOLD) as u64
    }

    fn living(&self) -> impl Iterator<Item = ProgramGrowth> {
        let living = self.processes.iter();
        living.filter_map(|(pid, process)| ProgramGrowth::of(*pid, process))
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

    /// What was asked for, less what was given back, while the thread was reading no file, or for
    /// another reason.
    pub fn without_file_bytes(&self) -> i64 {
        let open = self.open().map(Opening::grown_bytes);
        open.fold(self.without_file_bytes, i64::saturating_add)
    }

    /// The file beside which most was asked for while it was kept open until its program's end, or
    /// is open still; and how much. It may have been read then, or not.
    pub fn most_kept_open(&self) -> Option<(&FileGrowth, i64)> {
        self.files.most_kept_open(self.open())
    }

    fn open(&self) -> impl Iterator<Item = &Opening> {
        self.processes.values().flat_map(|process| process.reading.open())
    }

    /// When the last event came, since the watching began; `None` if the source has no clock.
    pub fn last_event(&self) -> Option<Duration> {
        (!self.last.is_zero()).then_some(self.last)
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
    pub fn layout(&self) -> Option<MemoryLayout> {
        let living = self.processes.iter();
        self.greatest.layout(living.map(|(pid, process)| (*pid, process)))
    }

    /// Somebody else, such as the watcher, mapped a page in this process: it may be in the break's
    /// way, but nobody asked for it.
    pub fn foreign_page(&mut self, pid: i32, range: std::ops::Range<u64>) {
        let process = self.processes.entry(pid).or_default();
        process.memory.foreign(range);
    }

    /// The breaks that were refused, one for each cause and program; of programs that ended the
    /// first 64.
    pub fn refused(&self) -> Vec<Refused> {
        let mut living: Vec<_> = self.processes.iter().collect();
        living.sort_unstable_by_key(|(pid, _)| **pid);
        let living = living.into_iter().map(|(_, process)| &process.refusals);
        let living = living.flat_map(|refusals| refusals.clone().all());
        self.refused.iter().cloned().chain(living).collect()
    }

    /// What a process has now.
    pub(crate) fn has(&self, pid: i32) -> Has {
        let of = |process: &ProcessGrowth| Has {
            grown_bytes: process.held.total(),
            low_bytes: process.held[GrowthKind::LowMemory],
            accounts: process.accounts(),
        };
        self.processes.get(&pid).map(of).unwrap_or_default()
    }

    /// What lay in the way of this process's break when it was refused the last time.
    pub(crate) fn last_brk_blocker(&self, pid: i32) -> Option<&Blocker> {
        match &self.processes.get(&pid)?.refusals.last()?.cause {
            BrkFailure::Blocked(blocker) => Some(blocker),
            _ => None,
        }
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
            if call.syscall == Syscall::Brk && call.denied().is_some() {
                process.refused(event.pid, call);
            }
            let program_break = process.memory.program_break();
            process.near_break.take(call, event.at, program_break);
            let change = process.memory.take(call, is_fallback);
            if let Some(fd) = call.mapped_file() {
                process.reading.mapped(fd);
            }
            if change != Change::default() {
                self.changed(event, &change, call.stack.as_deref());
            }
        } else if let Some((fd, path)) = call.opened_for_reading() {
            process.libraries.opened(path);
            self.opened(event, fd, path);
        } else if call.syscall.is_open() {
            // Not for reading: whatever was read under this number isn't any more.
            if let Ok(fd) = call.result {
                let before = process.reading.closed(fd as i32, event.at);
                self.closed(before, event.at);
            }
        } else if call.syscall == Syscall::Close && call.result != Err(libc::EBADF) {
            let before = process.reading.closed(call.args[0] as i32, event.at);
            self.closed(before, event.at);
        }
    }

    fn opened(&mut self, event: &Event, fd: i32, path: &[u8]) {
        let file = self.files.opened(path, event.at);
        for given_up in self.files.given_up() {
            for process in self.processes.values_mut() {
                process.reading.forget(given_up);
            }
        }
        let process = self.processes.entry(event.pid).or_default();
        let before = match file {
            Some(file) => {
                let by_one = process.reading.count(file);
                self.files.opened_by_one(file, by_one, &process.libraries);
                process.reading.opened(event.tid, fd, file, event.at)
            }
            None => process.reading.closed(fd, event.at),
        };
        self.closed(before, event.at);
    }

    fn changed(&mut self, event: &Event, change: &Change, stack: Option<&Stack>) {
        let Some(process) = self.processes.get_mut(&event.pid) else {
            return;
        };
        process.changed(event.at, change);
        let of_file = change.without_stacks();
        let file = process.reading.changed(event.tid, &of_file);
        self.now += &change.by_kind;
        self.asked_bytes = self.asked_bytes.saturating_add(change.asked_bytes);
        self.returned_bytes = self.returned_bytes.saturating_add(change.returned_bytes);
        if self.now.total() > self.peak.total() {
            self.peak = self.now;
        }
        let stacks = change.by_kind[GrowthKind::Stack];
        self.without_file(match file {
            Some(_) => stacks,
            None => change.by_kind.total(),
        });
        if change.asked_bytes > 0 {
            self.stacks.grew(stack, change.asked_bytes);
        }
        self.timeline.changed(event.at, &self.now, file, of_file.asked_bytes);
    }

    fn without_file(&mut self, bytes: i64) {
        self.without_file_bytes = self.without_file_bytes.saturating_add(bytes);
    }

    fn closed(&mut self, opening: Option<Opening>, at: Duration) {
        if let Some(opening) = opening {
            let bytes = self.files.closed(opening, at);
            self.without_file(bytes);
        }
    }

    fn kept_open(&mut self, openings: Vec<Opening>, at: Duration) {
        for opening in openings {
            let bytes = self.files.kept_open(opening, at);
            self.without_file(bytes);
        }
    }

    /// A program ended, or another took its place in the process.
    fn program_ended(&mut self, pid: i32, at: Duration) {
        let Some(process) = self.processes.remove(&pid) else {
            return;
        };
        let held = process.held;
        ProgramGrowth::of(pid, &process)
            .into_iter()
            .for_each(|ended| self.ended_programs.add(ended));
        self.greatest.ended(pid, &process);
        self.kept_open(process.reading.all_ended(at), at);
        let room = MOST_REFUSED.saturating_sub(self.refused.len());
        self.refused.extend(process.refusals.all().into_iter().take(room));
        if held == ByKind::default() {
            return;
        }
        self.ended += &held;
        for (kind, bytes) in held.iter() {
            self.now[kind] = self.now[kind].saturating_sub(bytes);
        }
        self.timeline.changed(at, &self.now, None, 0);
    }
}

impl Sink for Growth {
    fn take(&mut self, event: &Event) {
        let means = self.after_refusal.take(event);
        self.last = self.last.max(event.at);
        match &event.what {
            What::Call(call) => self.called(event, call, matches!(means, Means::Fallback(_))),
            What::Memory(found) => {
                let process = self.processes.entry(event.pid).or_default();
                process.memory = TrackedMemory::found(&found.ranges, found.program_break);
                process.program = found.executed_files.first().map(|path| path[..].into());
                for path in &found.executed_files {
                    process.libraries.opened(path);
                }
            }
            What::Program(path) => {
                let process = self.processes.entry(event.pid).or_default();
                process.program = Some(path[..].into());
            }
            What::Read { fd, bytes } => {
                if let Some(process) = self.processes.get_mut(&event.pid) {
                    process.reading.read(*fd, *bytes);
                }
            }
            What::Forked { child, thread: false } => {
                // Nobody told of its end, if another had that number before.
                self.program_ended(*child, event.at);
                let parent = self.processes.get(&event.pid);
                let process = parent.map(ProcessGrowth::forked).unwrap_or_default();
                self.processes.insert(*child, process);
            }
            What::Refused(surroundings) => {
                // Of another call than brk it says nothing of the break.
                if let Some(process) = self.processes.get_mut(&event.pid)
                    && self.after_refusal.was_refused(event)
                {
                    process.surrounded(surroundings);
                }
            }
            What::Line(line) => {
                if let Some(process) = self.processes.get_mut(&event.pid) {
                    process.near_break.stands_in(*line);
                }
            }
            What::Limit(limit) => {
                let process = self.processes.entry(event.pid).or_default();
                process.limits.set(*limit);
            }
            What::Exec { .. } => {
                let before = self.processes.get(&event.pid);
                let limits = before.map(|process| process.limits).unwrap_or_default();
                self.program_ended(event.pid, event.at);
                // Another program has the same limits.
                if limits.any() {
                    self.processes.entry(event.pid).or_default().limits = limits;
                }
            }
            What::Exited(_) if event.pid == event.tid => self.program_ended(event.pid, event.at),
            What::Exited(_) => {
                if let Some(process) = self.processes.get_mut(&event.pid) {
                    let openings = process.reading.ended(event.tid, event.at);
                    self.kept_open(openings, event.at);
                }
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests;
