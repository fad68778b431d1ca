//! The tracing thread: waits for stops, tells events, lets go on.

mod calls;
mod life;

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::sync::mpsc::SyncSender;
use std::time::{Duration, Instant};

use super::LaunchError;
use super::exec_image::{ExecImages, ToldRefusals};
use super::forked_child::{self, ForkedChild};
use super::launched::{LaunchNotes, Launched, ObserverCost};
use super::positions::Positions;
use super::prepared::Prepared;
use super::signals::{PidfdSet, block_signals, kill_unreaped};
use super::syscall_reader::SyscallReader;
use super::tracees::Tracees;
use memory_event::{Call, Ending, Event, Sink, Stack, What};
use tracee::Stop;

/// A thread that stands still while a hook is called, traced by the thread that calls the hook: so
/// ptrace requests from within the hook work, and `/proc` tells of one moment.
///
/// A hook may let the thread run on by ptrace, and must then wait until it stands still again.
/// It must not take the report of its *end* (as `waitpid` does), nor that of a
/// `PTRACE_EVENT_EXIT`: those are the launcher's. waitid(2) with `WNOWAIT` looks without taking.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stopped {
    /// Its process.
    pub pid: i32,
    /// The thread.
    pub tid: i32,
}

type StopHook = Box<dyn FnMut(Stopped) + Send>;
type GrowthHook = Box<dyn FnMut(Stopped, &Call) -> Option<Arc<Stack>> + Send>;

#[derive(Default)]
pub(super) struct Hooks {
    pub(super) exec: Option<StopHook>,
    pub(super) growth: Option<GrowthHook>,
    pub(super) exit: Option<StopHook>,
}

pub(super) type Outcome<S> = Result<Launched<S>, LaunchError>;

/// Launches and follows the prepared child; the body of the tracing thread. Sends the child's id
/// when its program begins; ends when everything traced has ended.
pub(super) fn run<S: Sink>(
    prepared: &Prepared,
    sink: S,
    reader: SyscallReader,
    hooks: Hooks,
    roster: Arc<PidfdSet>,
    ready: SyncSender<i32>,
) -> Outcome<S> {
    // The host's handlers belong on the host's threads.
    let mask = block_signals();
    let mut child = forked_child::fork(prepared, mask)?;
    let mut tracees = Tracees::default();
    tracees.insert_first(child.pid);
    if let Err(error) = take_hold(&mut child, &roster, hooks.exit.is_some()) {
        kill_unreaped(child.pid);
        end_all(&roster, &tracees);
        return Err(error);
    }
    let mut tracer = Tracer {
        child,
        sink,
        reader,
        hooks,
        hook_time: Duration::ZERO,
        roster,
        ready,
        tracees,
        images: ExecImages::default(),
        positions: Positions::default(),
        refusals: ToldRefusals::default(),
        notes: LaunchNotes::default(),
        stage: Stage::BeforeExec {
            // Without a filter there is nothing to prove.
            filter_stopped: prepared.filter.is_none(),
            out_of_order: false,
        },
        ending: None,
        stops: 0,
        lost_events: 0,
        wall_seconds: 0.0,
        hook_seconds: 0.0,
    };
    match catch_unwind(AssertUnwindSafe(|| tracer.follow())) {
        Ok(Ok(())) => tracer.finish(prepared),
        Ok(Err(error)) => {
            end_all(&tracer.roster, &tracer.tracees);
            Err(error)
        }
        Err(panic) => {
            // A sink that panics must not leave anybody stopped for ever.
            end_all(&tracer.roster, &tracer.tracees);
            resume_unwind(panic)
        }
    }
}

/// Seizes the child and tells it to go on.
fn take_hold(child: &mut ForkedChild, roster: &PidfdSet, exits: bool) -> Result<(), LaunchError> {
    let exits = match exits {
        true => tracee::Options::PTRACE_O_TRACEEXIT,
        false => tracee::Options::empty(),
    };
    // Should the tracer end first, the kernel kills what it traces.
    let options = exits
        | tracee::Options::PTRACE_O_TRACESYSGOOD
        | tracee::Options::PTRACE_O_TRACESECCOMP
        | tracee::Options::PTRACE_O_TRACEFORK
        | tracee::Options::PTRACE_O_TRACEVFORK
        | tracee::Options::PTRACE_O_TRACECLONE
        | tracee::Options::PTRACE_O_TRACEEXEC
        | tracee::Options::PTRACE_O_EXITKILL;
    tracee::seize(child.pid, options)
        .map_err(|source| LaunchError::refused("PTRACE_SEIZE", source))?;
    roster.enter(child.pid).map_err(|source| LaunchError::refused("pidfd_open", source))?;
    child.go().map_err(LaunchError::setup("tell the child to go on"))
}

/// Kills everything that this thread traces and waits until it has ended.
fn end_all(roster: &PidfdSet, tracees: &Tracees) {
    roster.kill_all();
    // A thread that stands still because it is about to end doesn't notice a SIGKILL any more.
    let go_on = |tid| restart(tid, Until::Event, 0);
    tracees.tids().for_each(go_on);
    while let Ok(Some((tid, status))) = tracee::wait_any() {
        if !matches!(Stop::of_wait_status(status), Stop::Ended(_)) {
            kill_unreaped(tid);
            go_on(tid);
        }
    }
}

/// How a thread goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Until {
    /// Until the next thing of interest: a watched call, a signal, a birth, its end.
    Event,
    /// Until the call that it stands before has come back.
    CallDone,
}

/// Lets a stopped thread go on, with a signal or 0 for none.
pub(crate) fn restart(tid: i32, until: Until, signal: i32) {
    // It can only fail because the thread was killed, which the next wait will tell.
    let _ = match until {
        Until::Event => tracee::cont(tid, signal),
        Until::CallDone => tracee::syscall(tid, signal),
    };
}

struct Tracer<S> {
    child: ForkedChild,
    sink: S,
    reader: SyscallReader,
    hooks: Hooks,
    hook_time: Duration,
    roster: Arc<PidfdSet>,
    ready: SyncSender<i32>,
    tracees: Tracees,
    images: ExecImages,
    positions: Positions,
    /// Of which refusals the surroundings were told.
    refusals: ToldRefusals,
    notes: LaunchNotes,
    stage: Stage,
    ending: Option<Ending>,
    stops: u64,
    lost_events: u64,
    wall_seconds: f64,
    /// Of `hook_time`, what lies within `wall_seconds`.
    hook_seconds: f64,
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
        let failed = LaunchError::setup("wait for the program");
        while let Some((tid, status)) = tracee::wait_any().map_err(&failed)? {
            if let Some(ending) = Ending::from_wait_status(status) {
                self.ended(tid, ending);
                continue;
            }
            self.stops += 1;
            if let Some(birth) = self.tracees.first_seen(tid) {
                self.born(birth);
            }
            if self.roster.given_up() {
                kill_unreaped(tid);
            }
            match Stop::of_wait_status(status) {
                Stop::Seccomp => self.before_call(tid),
                Stop::Syscall => self.after_call(tid),
                Stop::Exec => self.executed(tid)?,
                Stop::Exit => self.leaving(tid),
                Stop::Group => {
                    let _ = tracee::listen(tid);
                }
                Stop::Signal(signal) => self.go_on(tid, signal),
                Stop::NewTask => {
                    if let Ok(child) = tracee::event_message(tid)
                        && let Some(birth) = self.tracees.announced(tid, child)
                    {
                        self.born(birth);
                    }
                    self.go_on(tid, 0);
                }
                _ => self.go_on(tid, 0),
            }
        }
        Ok(())
    }

    fn go_on(&mut self, tid: i32, signal: i32) {
        let in_call = self.tracees.get_mut(tid).is_some_and(|tracee| tracee.in_call);
        restart(tid, if in_call { Until::CallDone } else { Until::Event }, signal);
    }

    fn tell(&mut self, pid: i32, tid: i32, what: What) {
        if let Stage::Running { since } = self.stage {
            self.sink.take(&Event::new(pid, tid, since.elapsed(), what));
        }
    }

    fn finish(mut self, prepared: &Prepared) -> Outcome<S> {
        let lost = || io::Error::from_raw_os_error(libc::ECHILD);
        let failed = LaunchError::setup("wait for the program");
        let ending = self.ending.ok_or_else(|| failed(lost()))?;
        if let Stage::BeforeExec { .. } = self.stage {
            return Err(match self.child.words().failure {
                Some((step, errno)) => prepared.error(step, errno),
                None => LaunchError::EndedEarly { ending },
            });
        }
        Ok(Launched {
            ending,
            sink: self.sink,
            cost: ObserverCost {
                stops: self.stops,
                tracer_cpu_seconds: proc_memory::thread_cpu_time().as_secs_f64(),
                wall_seconds: self.wall_seconds,
                watched_seconds: match self.stage {
                    Stage::Running { since } => since.elapsed().as_secs_f64(),
                    _ => 0.0,
                },
                hook_seconds: self.hook_seconds,
            },
            notes: self.notes.into_list(),
            lost_events: self.lost_events,
        })
    }
}
