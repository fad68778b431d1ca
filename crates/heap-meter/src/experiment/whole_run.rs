//! One run of a command that marks no checkpoints: weighed as it ends, or its calls counted.

use super::error::RunError;
use super::results::{Checkpoint, Run};
use super::run::{Counting, Watched, Weighed, finish};
use super::session::StopFlag;
use memory_event::{Ending, Event, What};
use memory_trace::{LaunchOptions, Launched, Stopped, Target, Watch};
use proc_memory::{Snapshot, Status};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Makes an arm's condition in a process that stands before the first instruction of its program;
/// the error says in words why it could not. It is called for every program that the command's
/// whole tree executes, on the thread that traces it: see
/// [`LaunchOptions::at_exec`](memory_trace::LaunchOptions::at_exec).
pub type Condition = Arc<dyn Fn(Stopped) -> Result<(), String> + Send + Sync>;

/// The one checkpoint.
pub(super) const END: &str = "end";

/// Facts of a run.
pub(super) const EXIT: &str = "exit";
pub(super) const CONDITION_FAILED: &str = "condition_failed";
pub(super) const GREATEST_PEAK: &str = "greatest_peak_rss_bytes";

/// What the hooks of a run write down. Only the tracer's thread does, until the run has ended.
#[derive(Default)]
struct WholeRunRecord {
    launched_pid: i32,
    processes: u64,
    end: Option<Result<Snapshot, String>>,
    greatest_peak_rss_bytes: Option<u64>,
    conditions_made: u64,
    conditions_failed: u64,
    first_failure: Option<String>,
}

#[derive(Clone, Default)]
struct SharedRecord(Arc<Mutex<WholeRunRecord>>);

impl SharedRecord {
    fn lock(&self) -> MutexGuard<'_, WholeRunRecord> {
        // Who panics with it locked ends the run, and nobody reads it then.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self, event: &Event) {
        match event.what {
            What::Started => {
                let mut seen = self.lock();
                seen.launched_pid = event.pid;
                seen.processes = 1;
            }
            What::Forked { thread: false, .. } => self.lock().processes += 1,
            _ => {}
        }
    }

    fn make(&self, condition: &Condition, stopped: Stopped) {
        let made = condition(stopped);
        let mut seen = self.lock();
        match made {
            Ok(()) => seen.conditions_made += 1,
            Err(reason) => {
                seen.conditions_failed += 1;
                seen.first_failure.get_or_insert(reason);
            }
        }
    }

    fn weigh(&self, Stopped { pid, tid }: Stopped) {
        let mut seen = self.lock();
        let peak = if pid == seen.launched_pid {
            let weighed = Snapshot::of(tid).map_err(|error| error.to_string());
            let peak = weighed.as_ref().ok().map(|weighed| weighed.peak_rss_bytes);
            seen.end = Some(weighed);
            peak
        } else {
            // A look at one file: the others are many and delay the one that is timed.
            peak_rss_bytes(tid)
        };
        // `None` is less than any peak.
        seen.greatest_peak_rss_bytes = seen.greatest_peak_rss_bytes.max(peak);
    }
}

/// Runs the command without stopping at its calls.
pub(super) fn weigh(
    target: &Target,
    condition: Option<Condition>,
    stop: &StopFlag,
) -> Result<Weighed, RunError> {
    let shared = SharedRecord::default();
    let (at_exit, at_event) = (shared.clone(), shared.clone());
    let options =
        LaunchOptions::new().watch(Watch::Life).at_exit(move |stopped| at_exit.weigh(stopped));
    let options = with_condition(options, condition.as_ref(), &shared);
    let sink = move |event: &Event| at_event.take(event);
    let finished = finish(options.start(target, sink)?, stop)?;

    let seen = std::mem::take(&mut *shared.lock());
    let wall_seconds = worked_seconds(&finished);
    let mut facts = BTreeMap::from([
        (EXIT.to_owned(), ending_text(finished.ending)),
        ("processes".to_owned(), seen.processes.to_string()),
    ]);
    let mut tell = |key: &str, value: Option<String>| {
        facts.extend(value.map(|value| (key.to_owned(), value)));
    };
    let peak = seen.greatest_peak_rss_bytes;
    tell(GREATEST_PEAK, peak.map(|bytes| bytes.to_string()));
    let made = seen.conditions_made.to_string();
    tell("condition_made", condition.as_ref().map(|_| made));
    tell(CONDITION_FAILED, failure(&seen));
    let mut checkpoints = Vec::new();
    match seen.end {
        Some(Ok(snapshot)) => checkpoints.push(Checkpoint {
            label: END.to_owned(),
            worked_seconds: wall_seconds,
            snapshot,
            malloc: None,
            malloc_unknown: None,
        }),
        Some(Err(reason)) => tell("not_weighed", Some(reason)),
        None => tell("not_weighed", Some("it was gone before it could be".to_owned())),
    }
    let weighing_seconds = finished.cost.hook_seconds;
    let run = Run { wall_seconds, checkpoints, weighing_seconds, facts, ..Run::default() };
    let void = void(condition.as_ref(), seen.conditions_made, seen.first_failure);
    Ok(Weighed { run, void })
}

/// Runs the command and counts its calls; also tells how it ended.
pub(super) fn watch(
    target: &Target,
    condition: Option<Condition>,
    stop: &StopFlag,
) -> Result<(Watched, String), RunError> {
    let shared = SharedRecord::default();
    let options = with_condition(LaunchOptions::new(), condition.as_ref(), &shared);
    let finished = finish(options.start(target, Counting::default())?, stop)?;
    let seen = std::mem::take(&mut *shared.lock());
    let (seconds, exit) = (worked_seconds(&finished), ending_text(finished.ending));
    let void = void(condition.as_ref(), seen.conditions_made, seen.first_failure);
    Ok((Watched::of(finished, seconds, void), exit))
}

fn with_condition(
    options: LaunchOptions,
    condition: Option<&Condition>,
    shared: &SharedRecord,
) -> LaunchOptions {
    let Some(condition) = condition.cloned() else {
        return options;
    };
    let shared = shared.clone();
    options.at_exec(move |stopped| shared.make(&condition, stopped))
}

/// Time from exec to end, without what was done while the processes stood still.
fn worked_seconds<S>(finished: &Launched<S>) -> f64 {
    (finished.cost.wall_seconds - finished.cost.hook_seconds).max(0.0)
}

fn ending_text(ending: Ending) -> String {
    match ending {
        Ending::Code(code) => format!("code {code}"),
        Ending::Signal { signal, .. } => format!("signal {signal}"),
    }
}

fn failure(seen: &WholeRunRecord) -> Option<String> {
    let reason = seen.first_failure.as_ref()?;
    let programs = seen.conditions_failed + seen.conditions_made;
    let failed = seen.conditions_failed;
    Some(format!("{failed} of {programs} programs, the first: {reason}"))
}

/// Why a run doesn't count: its condition could be made nowhere.
fn void(condition: Option<&Condition>, made: u64, reason: Option<String>) -> Option<String> {
    condition.filter(|_| made == 0)?;
    Some(reason.unwrap_or_else(|| "no program was seen to begin".to_owned()))
}

/// The greatest memory of a thread's process (`VmHWM`); rough, see [`Snapshot::peak_rss_bytes`].
fn peak_rss_bytes(tid: i32) -> Option<u64> {
    Status::of(tid).ok()?.bytes("VmHWM")
}
