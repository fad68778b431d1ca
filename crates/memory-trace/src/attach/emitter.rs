//! Tells a sink what each way of watching has seen, in the same words.

use std::sync::Arc;
use std::time::Duration;

use super::note::{AttachNote, AttachNotes};
use super::settings::{Caller, GrowthHook};
use super::whom::Whom;
use crate::launch::{ExecImages, ToldRefusals};
use crate::uring;
use memory_event::{Call, Ending, Event, Memory, Refusal, Sink, Stack, Syscall, What};

/// The sink and what is remembered beside it.
pub(super) struct Emitter<S> {
    pub(super) sink: S,
    pub(super) notes: AttachNotes,
    /// How many processes were seen.
    pub(super) processes: u64,
    pub(super) lost_events: u64,
    pub(super) ending: Option<Ending>,
    /// The process to watch, if it is one.
    target: Option<i32>,
    /// Of which refusals the surroundings were told.
    refusals: ToldRefusals,
    /// Tells who made a call, if that was asked for.
    growth: Option<GrowthHook>,
    /// By which it is known whether memory grew.
    images: ExecImages,
}

/// Who, and when after the beginning.
#[derive(Clone, Copy, Debug)]
pub(super) struct TaskAt {
    pub(super) pid: i32,
    pub(super) tid: i32,
    pub(super) at: Duration,
}

impl<S: Sink> Emitter<S> {
    /// Of a watching of these.
    pub(super) fn new(whom: &Whom, sink: S, growth: Option<GrowthHook>) -> Self {
        Self {
            sink,
            notes: AttachNotes::default(),
            processes: whom.pids().len() as u64,
            lost_events: 0,
            ending: None,
            target: match whom {
                Whom::Processes(pids) if pids.len() == 1 => Some(pids[0]),
                _ => None,
            },
            refusals: ToldRefusals::default(),
            growth,
            images: ExecImages::default(),
        }
    }

    pub(super) fn wants_stacks(&self) -> bool {
        self.growth.is_some()
    }

    /// Who made a call that has just come back, if that was asked for and memory may have grown by
    /// it; or what is to be said of one of whom nothing was kept.
    pub(super) fn stack(
        &mut self,
        pid: i32,
        caller: Result<Caller<'_>, AttachNote>,
        call: &Call,
    ) -> Option<Arc<Stack>> {
        let hook = self.growth.as_mut()?;
        if !self.images.grew(pid, call) {
            return None;
        }
        let caller = caller.map_err(|note| self.notes.add(note)).ok()?;
        hook(caller, call)
    }

    pub(super) fn tell(&mut self, who: TaskAt, what: What) {
        let TaskAt { pid, tid, at } = who;
        self.sink.take(&Event::new(pid, tid, at, what));
    }

    /// A process was there already, with this memory.
    pub(super) fn started(&mut self, pid: i32, at: Duration, memory: Option<Memory>) {
        let who = TaskAt { pid, tid: pid, at };
        self.tell(who, What::Started);
        self.memory(who, memory);
    }

    /// What io_uring does isn't told: says so if the call that has just come back maps a ring.
    pub(super) fn may_map_ring(&mut self, pid: i32, call: &Call) {
        if uring::maps_one(pid, call) {
            self.notes.add(AttachNote::IoUring { first_pid: pid, rings: 1 });
        }
    }

    pub(super) fn memory(&mut self, who: TaskAt, memory: Option<Memory>) {
        match memory {
            Some(memory) => self.tell(who, What::Memory(memory)),
            None => self.notes.add(AttachNote::UnknownMemory { programs: 1 }),
        }
    }

    pub(super) fn forked(&mut self, who: TaskAt, child: i32, thread: bool) {
        if !thread {
            self.processes += 1;
            self.images.born(child, who.pid);
        }
        self.tell(who, What::Forked { child, thread });
    }

    pub(super) fn executed(&mut self, who: TaskAt, by: Syscall, former_tid: i32) {
        self.refusals.forget(who.pid);
        self.images.forget(who.pid);
        self.tell(who, What::Exec { by, former_tid });
    }

    /// A call came back. Its surroundings are told if it is the first of its kind that was refused
    /// to this program.
    pub(super) fn returned(&mut self, who: TaskAt, call: Call, refusal: Option<Box<Refusal>>) {
        let unknown = call.syscall.is_open() && call.result.is_ok() && call.path.is_none();
        if unknown {
            self.notes.add(AttachNote::UnknownPaths { opens: 1 });
        }
        let refusal = refusal.filter(|_| self.wants_refusal(who.pid, &call));
        if refusal.is_some() {
            self.refusals.of(who.pid, &call);
        }
        self.tell(who, What::Call(call));
        if let Some(refusal) = refusal {
            self.tell(who, What::Refused(refusal));
        }
    }

    /// Whether the surroundings of this call are still to be told.
    pub(super) fn wants_refusal(&self, pid: i32, call: &Call) -> bool {
        self.refusals.lacks(pid, call)
    }

    /// How the process ended, if it is the one to watch.
    pub(super) fn target_ended(&mut self, pid: i32, ending: Option<Ending>) {
        if self.target == Some(pid) {
            self.ending = ending;
        }
    }

    /// A thread ended; `None`: how, is not known.
    pub(super) fn ended(&mut self, who: TaskAt, ending: Option<Ending>) {
        let process = who.pid == who.tid;
        if process {
            self.refusals.forget(who.pid);
            self.images.forget(who.pid);
            self.target_ended(who.pid, ending);
        }
        match ending {
            Some(ending) => self.tell(who, What::Exited(ending)),
            None if process => self.notes.add(AttachNote::UnknownEndings { processes: 1 }),
            None => {}
        }
    }
}
