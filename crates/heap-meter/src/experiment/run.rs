//! One process, from its start to its end: weighed at its checkpoints, or traced.
//!
//! The socket is served by the calling thread; a tracer works in a thread of its own, because
//! ptrace(2) ties a traced process to one thread.

use super::error::{EndingText, RunError};
use super::results::{Run, Traced};
use super::session::{CheckpointWeight, Session, StopFlag, TICK, connected, serve};
use heap_growth::{BreakMoves, Counts, Fallback, Tally};
use memory_event::{Ending, Sink};
use memory_trace::{Launch, Launched, Target};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use proc_memory::{Weigher, pidfd_open};
use ptmalloc::Examiner;
use std::collections::BTreeMap;
use std::error::Error;
use std::os::fd::AsFd;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus};
use std::time::Instant;

/// What an untraced process showed.
#[derive(Debug)]
#[non_exhaustive]
pub struct Weighed {
    /// A run of which nothing was traced.
    pub run: Run,
    /// Why the run doesn't count, if it said so.
    pub void: Option<String>,
}

/// What a traced process showed.
#[derive(Debug)]
#[non_exhaustive]
pub struct Watched {
    /// Calls and failures per system call.
    pub syscalls: BTreeMap<String, Counts>,
    /// Which way the break was to go.
    pub break_moves: BreakMoves,
    /// malloc's fallback.
    pub fallback: Fallback,
    /// What tracing cost.
    pub traced: Traced,
    /// What the tracer did not do.
    pub notes: Vec<String>,
    /// Why the run doesn't count, if it said so.
    pub void: Option<String>,
}

/// What counts calls in a traced process.
pub(super) type Counting = (Tally, BreakMoves, Fallback);

impl Watched {
    pub(super) fn of(
        finished: Launched<Counting>,
        wall_seconds: f64,
        void: Option<String>,
    ) -> Self {
        let (tally, break_moves, fallback) = finished.sink;
        let named = |(name, counts): (&str, Counts)| (name.to_owned(), counts);
        let mut notes: Vec<String> = finished.notes.iter().map(ToString::to_string).collect();
        if finished.lost_events > 0 {
            notes.push(format!(
                "the outcome of {} system calls could not be read, so they are not counted",
                finished.lost_events
            ));
        }
        Self {
            syscalls: tally.by_name().into_iter().map(named).collect(),
            break_moves,
            fallback,
            traced: Traced {
                wall_seconds,
                stops: finished.cost.stops,
                tracer_cpu_seconds: finished.cost.tracer_cpu_seconds,
            },
            notes,
            void,
        }
    }
}

/// Runs `target` untraced and weighs it at its checkpoints: the process that reaches one is weighed,
/// be it the one that was started or one that it forked.
///
/// # Errors
/// See [`RunError`]; the process is gone in each case.
pub fn observe_untraced(
    target: &Target,
    stop: &StopFlag,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Weighed, RunError> {
    untraced(&mut Examiner::new(), target, stop, progress)
}

/// A process that was followed to its end, whatever that was.
#[derive(Debug)]
#[non_exhaustive]
pub struct Ended {
    /// What it showed until then.
    pub weighed: Weighed,
    /// Seconds of work after its last checkpoint, with its exit.
    pub unfinished_seconds: f64,
    /// How it ended.
    pub status: ExitStatus,
}

/// As [`observe_untraced`], for a program that may be killed: how it ends is told, too. `prepare`
/// gets the command before it is started; `look` is called at each checkpoint with the process that
/// reached it, when that has been weighed.
///
/// # Errors
/// See [`RunError`]; [`RunError::Stopped`] is `look`'s. The process is gone in each case.
pub fn observe_to_end(
    target: &Target,
    stop: &StopFlag,
    progress: &mut dyn FnMut(u64, u64),
    prepare: &mut dyn FnMut(&mut Command),
    look: &mut Look<'_>,
) -> Result<Ended, RunError> {
    to_end(&mut Examiner::new(), target, stop, progress, prepare, look)
}

/// Looks at the process of this number while it waits at a checkpoint.
pub type Look<'a> = dyn FnMut(i32) -> Result<(), Box<dyn Error + Send + Sync>> + 'a;

/// [`observe_untraced`], with an examiner that may know the program already.
pub(super) fn untraced(
    examiner: &mut Examiner,
    target: &Target,
    stop: &StopFlag,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Weighed, RunError> {
    let (prepare, look) = (&mut |_: &mut Command| (), &mut |_| Ok(()));
    let ended = to_end(examiner, target, stop, progress, prepare, look)?;
    let program = target.program().to_string_lossy().into_owned();
    succeeded(program, ended.status.into())?;
    Ok(ended.weighed)
}

fn to_end(
    examiner: &mut Examiner,
    target: &Target,
    stop: &StopFlag,
    progress: &mut dyn FnMut(u64, u64),
    prepare: &mut dyn FnMut(&mut Command),
    look: &mut Look<'_>,
) -> Result<Ended, RunError> {
    let (ours, target) = connected(target)?;
    let mut command = target.die_with_parent(true).to_command();
    // A process group of its own: Ctrl-C at the terminal reaches the parent alone, which then ends
    // the run in one way, and tells of it.
    command.process_group(0);
    prepare(&mut command);
    let program = command.get_program().to_string_lossy().into_owned();
    let started = Instant::now();
    let mut child = match command.spawn() {
        Ok(child) => KilledOnDrop(child),
        Err(error) => return Err(RunError::Start { program, error }),
    };
    // What holds the program's end of the socket has to go, or its closing is never seen.
    drop(command);

    let mut session = Session::new(started, progress);
    serve(&ours, stop, &mut session, |pid, examined| {
        let mut weigher = Weigher::open(pid)?;
        let snapshot = weigher.weigh()?;
        let malloc = examined.then(|| examiner.examine(weigher.process()).state);
        look(pid).map_err(RunError::Stopped)?;
        Ok(Some(CheckpointWeight { snapshot, malloc }))
    })?;
    let status = wait_until_stopped(&mut child.0, stop)?;
    let ended = Instant::now();
    Ok(Ended {
        unfinished_seconds: session.unfinished(ended).as_secs_f64(),
        weighed: Weighed {
            run: Run {
                wall_seconds: session.wall(ended).as_secs_f64(),
                weighing_seconds: session.weighing.as_secs_f64(),
                checkpoints: session.checkpoints,
                facts: session.facts,
                ..Run::default()
            },
            void: session.void,
        },
        status,
    })
}

/// Runs `target` traced and counts its system calls; it isn't weighed.
///
/// # Errors
/// See [`RunError`]; the process is gone in each case.
pub fn observe_traced(
    target: &Target,
    stop: &StopFlag,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Watched, RunError> {
    let (ours, target) = connected(target)?;
    let program = target.program().to_string_lossy().into_owned();
    let started = Instant::now();
    let launch = Launch::start(&target, Counting::default())?;
    drop(target);

    let mut session = Session::new(started, progress);
    let served = serve(&ours, stop, &mut session, |_, _| Ok(None));
    if served.is_err() {
        launch.kill();
    }
    let finished = finish(launch, stop)?;
    let wall = session.wall(Instant::now());
    served?;
    succeeded(program, finished.ending)?;
    Ok(Watched::of(finished, wall.as_secs_f64(), session.void))
}

/// Waits for the end of a traced process, or brings it about.
pub(super) fn finish<S>(launch: Launch<S>, stop: &StopFlag) -> Result<Launched<S>, RunError>
where
    S: Sink + Send + 'static,
{
    while !launch.ends_within(TICK) {
        if stop.is_wanted() {
            launch.kill();
        }
    }
    let finished = launch.wait()?;
    match stop.is_wanted() {
        true => Err(RunError::Interrupted),
        false => Ok(finished),
    }
}

fn succeeded(program: String, ending: Ending) -> Result<(), RunError> {
    if ending.success() {
        return Ok(());
    }
    Err(RunError::Failed { program, ending: EndingText(ending) })
}

/// A child that doesn't outlive its run, whichever way that ends.
struct KilledOnDrop(Child);

impl Drop for KilledOnDrop {
    fn drop(&mut self) {
        // Both fail when it has been waited for already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn wait_until_stopped(child: &mut Child, stop: &StopFlag) -> Result<ExitStatus, RunError> {
    // The socket is closed by now, so the end is near: what is left is the program's exit.
    let end = pidfd_open(child.id().cast_signed())?;
    let milliseconds = PollTimeout::try_from(TICK).unwrap_or(PollTimeout::ZERO);
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        if stop.is_wanted() {
            return Err(RunError::Interrupted);
        }
        let mut watched = [PollFd::new(end.as_fd(), PollFlags::POLLIN)];
        // Interrupted or not, the next round looks.
        let _ = poll(&mut watched, milliseconds);
    }
}
