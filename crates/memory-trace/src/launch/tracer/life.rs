//! Births, execs and ends.

use std::time::Instant;

use super::{Stage, Stopped, Tracer, Until, restart};
use crate::launch::tracees::NewTask;
use crate::launch::{LaunchError, LaunchNote, syscall_reader};
use memory_event::{Ending, Memory, Sink, What};

impl<S: Sink> Tracer<S> {
    pub(super) fn executed(&mut self, pid: i32) -> Result<(), LaunchError> {
        let former_tid = tracee::event_message(pid).unwrap_or(pid);
        let tracee = self.tracees.executed(pid, former_tid);
        tracee.in_call = false;
        tracee.entering = self.hooks.exec.is_some();
        let until = match tracee.entering {
            true => Until::CallDone,
            // Not until the exec has come back: that is told already.
            false => Until::Event,
        };
        let before = tracee.asked.take();
        self.images.forget(pid);
        self.positions.forget(pid);
        self.refusals.forget(pid);
        if syscall_reader::is_foreign(pid) {
            let (first_pid, programs) = (pid, 1);
            let note = LaunchNote::ForeignArchitecture { first_pid, programs };
            self.notes.add(note);
        }
        match self.stage {
            Stage::Running { .. } => {
                let by = syscall_reader::exec_call(before);
                self.tell(pid, pid, What::Exec { by, former_tid });
            }
            Stage::BeforeExec { filter_stopped: false, .. } => {
                return Err(LaunchError::Unproven { observed: "the filter did not stop the exec" });
            }
            Stage::BeforeExec { out_of_order: true, .. } => {
                return Err(LaunchError::Unproven {
                    observed: "the stop for the filter came before the one for the call",
                });
            }
            Stage::BeforeExec { .. } => {
                self.stage = Stage::Running { since: Instant::now() };
                if self.child.words().no_new_privileges {
                    self.notes.add(LaunchNote::NoNewPrivileges);
                }
                // Fails if nobody waits for it any more; then the run ends by `kill`.
                let _ = self.ready.send(pid);
                self.tell(pid, pid, What::Started);
            }
        }
        if let Some(memory) = Memory::of(pid) {
            self.tell(pid, pid, What::Memory(memory));
        }
        restart(pid, until, 0);
        Ok(())
    }

    /// A process that executed a program stands before its first instruction.
    pub(super) fn entered(&mut self, pid: i32) {
        let since = Instant::now();
        if let Some(hook) = &mut self.hooks.exec {
            hook(Stopped { pid, tid: pid });
        }
        self.hook_time += since.elapsed();
        restart(pid, Until::Event, 0);
    }

    /// A thread is about to end.
    pub(super) fn leaving(&mut self, tid: i32) {
        let last_of = self.tracees.leaving(tid);
        if let Some(pid) = last_of {
            for read in self.positions.ending(pid, tid) {
                self.tell(pid, tid, read);
            }
        }
        let since = Instant::now();
        if let Some(pid) = last_of
            && let Some(hook) = &mut self.hooks.exit
            && let Stage::Running { .. } = self.stage
        {
            hook(Stopped { pid, tid });
            self.hook_time += since.elapsed();
        }
        restart(tid, Until::Event, 0);
    }

    pub(super) fn born(&mut self, birth: NewTask) {
        let thread = birth.is_thread();
        if !thread {
            // Without a handle it is killed at its next stop, should the run be given up.
            let _ = self.roster.enter(birth.child_pid);
            self.images.born(birth.child_pid, birth.parent_pid);
        }
        let what = What::Forked { child: birth.child_tid, thread };
        self.tell(birth.parent_pid, birth.parent_tid, what);
    }

    pub(super) fn ended(&mut self, tid: i32, ending: Ending) {
        if tid == self.child.pid {
            self.ending = Some(ending);
            if let Stage::Running { since } = self.stage {
                self.wall_seconds = since.elapsed().as_secs_f64();
                self.hook_seconds = self.hook_time.as_secs_f64();
            }
        }
        if let Some(tracee) = self.tracees.ended(tid) {
            if tracee.pid == tid {
                self.roster.leave(tid);
                self.images.forget(tid);
                self.positions.forget(tid);
                self.refusals.forget(tid);
            }
            self.tell(tracee.pid, tid, What::Exited(ending));
        }
    }
}
