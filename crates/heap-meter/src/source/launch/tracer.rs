//! The tracing thread: waits for stops, reads calls, tells events, lets go on.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::sync::mpsc::SyncSender;
use std::time::Instant;

use super::child::{self, Newborn};
use super::note::Notes;
use super::prepared::Prepared;
use super::ptrace::{self, Until};
use super::reader::{self, Asked, Reader};
use super::roster::Roster;
use super::stop::Stop;
use super::tracees::{Birth, Tracees};
use super::{Finished, LaunchError, ObserverCost};
use crate::event::{Call, Ending, Event, Sink, Syscall, What};

pub(super) type Outcome<S> = Result<Finished<S>, LaunchError>;

/// Launches and follows the prepared child; the body of the tracing thread. Sends the child's id
/// when its program begins; ends when everything traced has ended.
pub(super) fn run<S: Sink>(
    prepared: &Prepared,
    sink: S,
    reader: Reader,
    roster: Arc<Roster>,
    ready: SyncSender<i32>,
) -> Outcome<S> {
    // The host's handlers belong on the host's threads.
    let mask = ptrace::block_signals();
    let mut child = child::fork(prepared, &mask)?;
    if let Err(error) = take_hold(&mut child, &roster) {
        ptrace::kill_unreaped(child.pid);
        end_all(&roster);
        return Err(error);
    }
    let mut tracees = Tracees::default();
    tracees.insert_first(child.pid);
    let mut tracer = Tracer {
        child,
        sink,
        reader,
        roster,
        ready,
        tracees,
        notes: Notes::default(),
        stage: Stage::BeforeExec {
            filter_stopped: false,
            out_of_order: false,
        },
        ending: None,
        stops: 0,
        lost_events: 0,
        wall_seconds: 0.0,
    };
    match catch_unwind(AssertUnwindSafe(|| tracer.follow())) {
        Ok(Ok(())) => tracer.finish(prepared),
        Ok(Err(error)) => {
            end_all(&tracer.roster);
            Err(error)
        }
        Err(panic) => {
            // A sink that panics must not leave anybody stopped for ever.
            end_all(&tracer.roster);
            resume_unwind(panic)
        }
    }
}

/// Seizes the child and tells it to go on.
fn take_hold(child: &mut Newborn, roster: &Roster) -> Result<(), LaunchError> {
    ptrace::seize(child.pid).map_err(|source| LaunchError::refused("PTRACE_SEIZE", source))?;
    roster
        .enter(child.pid)
        .map_err(|source| LaunchError::refused("pidfd_open", source))?;
    child.go().map_err(|source| LaunchError::Setup {
        step: "tell the child to go on",
        source,
    })
}

/// Kills everything that this thread traces and waits until it has ended.
fn end_all(roster: &Roster) {
    roster.kill_all();
    while let Ok(Some((tid, status))) = ptrace::wait_any() {
        if !matches!(Stop::decode(status), Stop::Ended(_)) {
            ptrace::kill_unreaped(tid);
        }
    }
}

struct Tracer<S> {
    child: Newborn,
    sink: S,
    reader: Reader,
    roster: Arc<Roster>,
    ready: SyncSender<i32>,
    tracees: Tracees,
    notes: Notes,
    stage: Stage,
    /// Of the launched process.
    ending: Option<Ending>,
    stops: u64,
    lost_events: u64,
    wall_seconds: f64,
}

/// Nothing that happens before the program's exec is told. But the exec itself proves, on the
/// child, that this kernel stops filtered calls in the order that everything after rests on.
#[derive(Clone, Copy, Debug)]
enum Stage {
    BeforeExec {
        /// The filter has stopped the exec.
        filter_stopped: bool,
        /// The stop after it did not stand behind the call but before it (Linux before 4.8).
        out_of_order: bool,
    },
    Running {
        since: Instant,
    },
}

impl<S: Sink> Tracer<S> {
    fn follow(&mut self) -> Result<(), LaunchError> {
        let failed = |source| LaunchError::Setup {
            step: "wait for the program",
            source,
        };
        while let Some((tid, status)) = ptrace::wait_any().map_err(failed)? {
            let stop = Stop::decode(status);
            if let Stop::Ended(ending) = stop {
                self.ended(tid, ending);
                continue;
            }
            self.stops += 1;
            if let Some(birth) = self.tracees.first_seen(tid) {
                self.born(birth);
            }
            if self.roster.given_up() {
                ptrace::kill_unreaped(tid);
            }
            match stop {
                Stop::Filter => self.before_call(tid),
                Stop::CallDone => self.after_call(tid),
                Stop::Exec => self.executed(tid)?,
                Stop::Group => ptrace::listen(tid),
                Stop::Signal(signal) => self.go_on(tid, signal),
                Stop::Birth => {
                    if let Ok(child) = ptrace::event_message(tid)
                        && let Some(birth) = self.tracees.announced(tid, child)
                    {
                        self.born(birth);
                    }
                    self.go_on(tid, 0);
                }
                Stop::Other | Stop::Ended(_) => self.go_on(tid, 0),
            }
        }
        Ok(())
    }

    fn go_on(&mut self, tid: i32, signal: i32) {
        let in_call = self
            .tracees
            .get_mut(tid)
            .is_some_and(|tracee| tracee.in_call);
        ptrace::restart(
            tid,
            if in_call {
                Until::CallDone
            } else {
                Until::Event
            },
            signal,
        );
    }

    fn before_call(&mut self, tid: i32) {
        if let Stage::BeforeExec { filter_stopped, .. } = &mut self.stage {
            *filter_stopped = true;
        }
        if let Some(tracee) = self.tracees.get_mut(tid) {
            tracee.in_call = true;
            // If it can't be read, it was killed, or the reader says so after the call.
            tracee.asked = self.reader.before(tid).unwrap_or(None);
        }
        ptrace::restart(tid, Until::CallDone, 0);
    }

    fn after_call(&mut self, tid: i32) {
        if let Some(tracee) = self.tracees.get_mut(tid) {
            tracee.in_call = false;
            let (pid, before) = (tracee.pid, tracee.asked.take());
            match (self.reader.after(tid, before), &mut self.stage) {
                (Ok((asked, result)), Stage::Running { .. }) => {
                    self.returned(pid, tid, asked, result);
                }
                (Ok((_, result)), Stage::BeforeExec { out_of_order, .. }) => {
                    // The value that a call has before it is made.
                    *out_of_order |= result == Err(libc::ENOSYS);
                }
                (Err(_), _) => self.lost_events += 1,
            }
        }
        ptrace::restart(tid, Until::Event, 0);
    }

    fn returned(&mut self, pid: i32, tid: i32, asked: Asked, result: Result<u64, i32>) {
        if let Some(syscall) = Syscall::from_number(asked.number) {
            let path = match result {
                Ok(fd) if syscall.is_open() => opened_file(tid, fd),
                _ => None,
            };
            let call = Call {
                syscall,
                args: asked.args,
                result,
                path,
                stack: None,
            };
            self.tell(pid, tid, What::Call(call));
        } else if result.is_ok() && installs_filter(asked) {
            self.notes.own_filter(pid);
        }
    }

    fn executed(&mut self, pid: i32) -> Result<(), LaunchError> {
        let former_tid = ptrace::event_message(pid).unwrap_or(pid);
        let tracee = self.tracees.executed(pid, former_tid);
        tracee.in_call = false;
        let before = tracee.asked.take();
        if reader::is_foreign(pid) {
            self.notes.foreign_architecture(pid);
        }
        match self.stage {
            Stage::Running { .. } => {
                let by = reader::exec_call(before);
                self.tell(pid, pid, What::Exec { by, former_tid });
            }
            Stage::BeforeExec {
                filter_stopped: false,
                ..
            } => {
                return Err(LaunchError::Unproven {
                    observed: "the filter did not stop the exec",
                });
            }
            Stage::BeforeExec {
                out_of_order: true, ..
            } => {
                return Err(LaunchError::Unproven {
                    observed: "the stop for the filter came before the one for the call",
                });
            }
            Stage::BeforeExec { .. } => {
                self.stage = Stage::Running {
                    since: Instant::now(),
                };
                if self.child.words().no_new_privileges {
                    self.notes.no_new_privileges();
                }
                // Fails if nobody waits for it any more; then the run ends by `kill`.
                let _ = self.ready.send(pid);
                self.tell(pid, pid, What::Started);
            }
        }
        // Not until the exec has come back: that is told already.
        ptrace::restart(pid, Until::Event, 0);
        Ok(())
    }

    fn born(&mut self, birth: Birth) {
        let thread = birth.is_thread();
        if !thread {
            // Without a handle it is killed at its next stop, should the run be given up.
            let _ = self.roster.enter(birth.child_pid);
        }
        let what = What::Forked {
            child: birth.child_tid,
            thread,
        };
        self.tell(birth.parent_pid, birth.parent_tid, what);
    }

    fn ended(&mut self, tid: i32, ending: Ending) {
        if tid == self.child.pid {
            self.ending = Some(ending);
            if let Stage::Running { since } = self.stage {
                self.wall_seconds = since.elapsed().as_secs_f64();
            }
        }
        if let Some(tracee) = self.tracees.ended(tid) {
            if tracee.pid == tid {
                self.roster.leave(tid);
            }
            self.tell(tracee.pid, tid, What::Exited(ending));
        }
    }

    fn tell(&mut self, pid: i32, tid: i32, what: What) {
        if let Stage::Running { since } = self.stage {
            self.sink.take(&Event {
                pid,
                tid,
                at: since.elapsed(),
                what,
            });
        }
    }

    fn finish(mut self, prepared: &Prepared) -> Outcome<S> {
        let lost = || io::Error::from_raw_os_error(libc::ECHILD);
        let ending = self.ending.ok_or_else(|| LaunchError::Setup {
            step: "wait for the program",
            source: lost(),
        })?;
        if let Stage::BeforeExec { .. } = self.stage {
            return Err(match self.child.words().failure {
                Some((step, errno)) => prepared.error(step, errno),
                None => LaunchError::EndedEarly { ending },
            });
        }
        Ok(Finished {
            ending,
            sink: self.sink,
            cost: ObserverCost {
                stops: self.stops,
                tracer_cpu_seconds: ptrace::thread_cpu_seconds(),
                wall_seconds: self.wall_seconds,
            },
            notes: self.notes.into_list(),
            lost_events: self.lost_events,
        })
    }
}

/// The file behind a descriptor that was opened just now, as the kernel names it.
fn opened_file(tid: i32, fd: u64) -> Option<Vec<u8>> {
    use std::os::unix::ffi::OsStringExt;
    let link = std::fs::read_link(format!("/proc/{tid}/fd/{fd}")).ok()?;
    Some(link.into_os_string().into_vec())
}

/// Whether a call that isn't a watched one puts a seccomp filter (or the strict mode) in place.
fn installs_filter(asked: Asked) -> bool {
    let first = asked.args[0];
    match asked.number {
        libc::SYS_seccomp => {
            first == u64::from(libc::SECCOMP_SET_MODE_FILTER)
                || first == u64::from(libc::SECCOMP_SET_MODE_STRICT)
        }
        libc::SYS_prctl => first == libc::PR_SET_SECCOMP as u64,
        _ => false,
    }
}
