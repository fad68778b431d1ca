//! Watching by ptrace: every system call of every thread stops it twice.

use std::collections::HashSet;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::time::{Duration, Instant};

use super::emitter::{Emitter, TaskAt};
use super::{AttachError, AttachNote, Caller, Stopper, process_status, seize};
use crate::launch::Stopped;
use crate::launch::positions::Positions;
use crate::launch::syscall_reader::{self, SyscallEntry, opened_file};
use crate::launch::tracees::{NewTask, Tracees};
use crate::uring;
use memory_event::{Call, Ending, Memory, Refusal, Sink, Syscall};
use tracee::{Stop, SyscallInfo};

/// The threads are held; nothing was told yet.
pub(super) struct ByPtrace<'a> {
    stopper: &'a Stopper,
    sentinel: i32,
    sentinel_ended: bool,
    tracees: Tracees,
    positions: Positions,
    /// Those that will report once more, at least their end.
    expected: HashSet<i32>,
    since: Instant,
    /// Processes of which nothing was told yet.
    unstarted: HashSet<i32>,
    stops: u64,
}

impl<'a> ByPtrace<'a> {
    pub(super) fn seize(pids: &[i32], stopper: &'a Stopper) -> Result<Self, AttachError> {
        pids.iter().try_for_each(|&pid| process_status::check_untraced(pid))?;
        let (sentinel, handle) =
            seize::sentinel().map_err(AttachError::setup("make a child that ends the watching"))?;
        stopper.kills(handle);
        let mut tracees = Tracees::default();
        let mut expected = HashSet::new();
        for &pid in pids {
            // If one can't be had, the others are let go as this thread ends.
            let held = seize::seize_all(pid).inspect_err(|_| stopper.dismiss_sentinel())?;
            tracees.insert_first(pid);
            for &tid in &held {
                // They were there before the watching, so nothing is told.
                tracees.first_seen(tid);
            }
            expected.extend(held);
        }
        Ok(Self {
            stopper,
            sentinel,
            sentinel_ended: false,
            tracees,
            positions: Positions::default(),
            expected,
            since: Instant::now(),
            unstarted: pids.iter().copied().collect(),
            stops: 0,
        })
    }

    /// Follows until all has ended or it is asked to stop; gives the number of stops. However it
    /// ends, by a panic of the sink too, nobody stays held.
    pub(super) fn follow<S: Sink>(mut self, teller: &mut Emitter<S>) -> Result<u64, AttachError> {
        let outcome = catch_unwind(AssertUnwindSafe(|| self.trace(teller)));
        self.stopper.dismiss_sentinel();
        self.let_all_go(teller);
        match outcome {
            Ok(outcome) => outcome.map(|()| self.stops),
            Err(panic) => resume_unwind(panic),
        }
    }

    fn trace<S: Sink>(&mut self, teller: &mut Emitter<S>) -> Result<(), AttachError> {
        while !self.expected.is_empty() && !self.stopper.asked() {
            let report =
                tracee::wait_any().map_err(AttachError::setup("wait for the watched process"))?;
            let Some((tid, status)) = report else { break };
            if tid == self.sentinel {
                // Nothing else of it is reported than its end.
                self.sentinel_ended = true;
                continue;
            }
            let stop = Stop::of_wait_status(status);
            if let Some(ending) = Ending::from_wait_status(status) {
                self.expected.remove(&tid);
                if let Some(tracee) = self.tracees.ended(tid) {
                    if tracee.pid == tid {
                        self.positions.forget(tid);
                    }
                    teller.ended(self.who(tracee.pid, tid), Some(ending));
                }
                continue;
            }
            self.stops += 1;
            if let Some(birth) = self.tracees.first_seen(tid) {
                self.born(teller, birth);
            }
            self.expected.insert(tid);
            let pid = self.tracees.get_mut(tid).map_or(tid, |tracee| tracee.pid);
            if self.unstarted.remove(&pid) {
                teller.started(pid, self.since.elapsed(), Memory::of(pid));
                for _ in 0..uring::mapped(pid) {
                    teller.notes.add(AttachNote::IoUring { first_pid: pid, rings: 1 });
                }
            }
            let mut signal = 0;
            match stop {
                Stop::Syscall => self.call(teller, tid),
                Stop::Exec => self.executed(teller, tid),
                Stop::NewTask => {
                    if let Ok(child) = tracee::event_message(tid)
                        && let Some(birth) = self.tracees.announced(tid, child)
                    {
                        self.born(teller, birth);
                    }
                }
                Stop::Signal(number) => signal = number,
                Stop::Group => {
                    let _ = tracee::listen(tid);
                    continue;
                }
                _ => {}
            }
            if self.stopper.asked() {
                // It has just reported, so it won't again.
                seize::let_go(tid, stop);
                self.expected.remove(&tid);
            } else {
                // It can only fail because the thread was killed, which the next wait will tell.
                let _ = tracee::syscall(tid, signal);
            }
        }
        Ok(())
    }

    fn call<S: Sink>(&mut self, teller: &mut Emitter<S>, tid: i32) {
        let Ok(info) = tracee::syscall_info(tid) else {
            // Killed while it stood still.
            return;
        };
        let Some(tracee) = self.tracees.get_mut(tid) else {
            return;
        };
        if info.op == SyscallInfo::ENTRY {
            let [number, args @ .., _] = info.data;
            let asked = SyscallEntry { number: number as i64, args };
            tracee.asked = syscall_reader::as_native(tid, info.architecture, asked);
            let Some(asked) = &tracee.asked else {
                return;
            };
            let (pid, read) = (tracee.pid, self.positions.before(tracee.pid, tid, asked));
            if let Some(read) = read {
                teller.tell(self.who(pid, tid), read);
            }
            return;
        }
        let (pid, asked) = (tracee.pid, tracee.asked.take());
        let Some(asked) = asked.filter(|_| info.op == SyscallInfo::EXIT) else {
            return;
        };
        let Some(syscall) = Syscall::from_number(asked.number) else {
            return;
        };
        let result = tracee::syscall_result(info.data[0]);
        if result.is_ok() && matches!(syscall, Syscall::Execve | Syscall::Execveat) {
            // Told at its own stop.
            return;
        }
        let path = match result {
            Ok(fd) if syscall.is_open() => opened_file(tid, fd),
            _ => None,
        };
        let mut call = Call::new(syscall, asked.args, result).with_path(path);
        self.positions.after(pid, &call);
        teller.may_map_ring(pid, &call);
        call.stack = teller.stack(pid, Ok(Caller::Stopped(Stopped { pid, tid })), &call);
        let wanted = teller.wants_refusal(pid, &call);
        let refusal = wanted.then(|| Refusal::of(pid)).flatten().map(Box::new);
        teller.returned(self.who(pid, tid), call, refusal);
    }

    fn executed<S: Sink>(&mut self, teller: &mut Emitter<S>, pid: i32) {
        let former_tid = tracee::event_message(pid).unwrap_or(pid);
        let tracee = self.tracees.executed(pid, former_tid);
        let by = syscall_reader::exec_call(tracee.asked.take());
        self.positions.forget(pid);
        // Its fellows are gone; one that ended by taking over the process's number won't report.
        let tracees = &mut self.tracees;
        self.expected.retain(|tid| tracees.get_mut(*tid).is_some());
        let who = self.who(pid, pid);
        teller.executed(who, by, former_tid);
        teller.memory(who, Memory::of(pid));
        if syscall_reader::is_foreign(pid) {
            let (first_pid, programs) = (pid, 1);
            let note = AttachNote::ForeignArchitecture { first_pid, programs };
            teller.notes.add(note);
        }
    }

    fn born<S: Sink>(&mut self, teller: &mut Emitter<S>, birth: NewTask) {
        self.expected.insert(birth.child_tid);
        let who = self.who(birth.parent_pid, birth.parent_tid);
        if !self.unstarted.contains(&who.pid) {
            teller.forked(who, birth.child_tid, birth.is_thread());
        }
    }

    /// Each is interrupted, waited for, and let go with the signal it was about to get. Who waits
    /// for a vfork child can't be interrupted; after two seconds the kernel lets it go, when this
    /// thread ends.
    fn let_all_go<S: Sink>(&mut self, teller: &mut Emitter<S>) {
        const PATIENCE: Duration = Duration::from_secs(2);
        for &tid in &self.expected {
            let _ = tracee::interrupt(tid);
        }
        let deadline = Instant::now() + PATIENCE;
        while !(self.expected.is_empty() && self.sentinel_ended) && Instant::now() < deadline {
            let Ok(Some((tid, status))) = tracee::try_wait_any() else {
                std::thread::sleep(Duration::from_micros(200));
                continue;
            };
            let stop = Stop::of_wait_status(status);
            if tid == self.sentinel {
                self.sentinel_ended = true;
                continue;
            }
            self.expected.remove(&tid);
            if let Some(ending) = Ending::from_wait_status(status) {
                teller.target_ended(tid, Some(ending));
                continue;
            }
            if stop == Stop::NewTask
                && let Ok(child) = tracee::event_message(tid)
                && self.tracees.announced(tid, child).is_some()
            {
                // It is about to report.
                self.expected.insert(child);
            } else {
                self.tracees.first_seen(tid);
            }
            seize::let_go(tid, stop);
        }
        let threads = self.expected.len() as u64;
        if threads > 0 {
            teller.notes.add(AttachNote::LetGoByKernel { threads });
        }
    }

    fn who(&self, pid: i32, tid: i32) -> TaskAt {
        TaskAt { pid, tid, at: self.since.elapsed() }
    }
}
