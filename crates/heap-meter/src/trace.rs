//! A watched run as a result: what is reported, and kept, of a [`Story`].

mod address_space;
mod by_function;
mod logged;
mod malloc;

use std::ffi::OsString;

use serde::Serialize;

use heap_diagnosis::{Finding, trace_findings};
use heap_growth::{Fallback, FileGrowth, Growth, ProgramGrowth, StackGrowth, Story, Tally};
use memory_event::Ending;
use memory_trace::ObserverCost;
use proc_memory::Snapshot;

use logged::Logged;

pub use by_function::ByFunction;
pub(crate) use by_function::{callers, is_programs};

pub use address_space::{Address, AddressSpaceReport, BlockerReport, PartReport};
pub use logged::{EventSource, KindBytes};
pub use malloc::{MallocReport, Moment};

/// A watched run.
///
/// In JSON the field names are the keys.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Trace {
    /// Program and arguments; `None` where the source doesn't know.
    pub command: Option<Vec<String>>,
    /// Where the events came from.
    pub source: EventSource,
    /// How many processes there were.
    pub processes: u64,
    /// How the first process ended; `None` if it still ran, or the source can't tell.
    pub exit: Option<Ending>,
    /// Events that are known to be missing.
    pub lost_events: u64,
    /// Calls and failures.
    pub syscalls: Tally,
    /// Who made memory grow.
    pub growth: GrowthReport,
    /// malloc's fallback; `None` if the calls that tell of it weren't logged.
    pub fallback: Option<Fallback>,
    /// Where the memory of the process that grew most lay; only if the story kept it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address_space: Option<AddressSpaceReport>,
    /// What malloc kept in the processes that kept most, the launched or watched one first; `None`
    /// for a log, which nobody can look into.
    pub malloc: Option<Vec<MallocReport>>,
    /// What follows.
    pub findings: Vec<Finding>,
    /// What was not done, or done otherwise than without a watcher.
    pub notes: Vec<String>,
    /// What watching cost; `None` for a log, which cost whoever wrote it.
    pub observer: Option<Observer>,
}

/// The watcher's own effort.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Observer {
    /// How watched processes were told apart from others, in a word: `ptrace`, `tracepoints`.
    pub via: String,
    /// How often a process was stopped and set going again.
    pub stops: u64,
    /// Processor time of the watching thread, in seconds.
    pub cpu_seconds: f64,
    /// How long it watched, in seconds.
    pub wall_seconds: f64,
    /// The most memory that the watcher itself had resident; `None` if `/proc` didn't tell.
    pub peak_rss_bytes: Option<u64>,
}

impl Observer {
    /// The effort of this process, whose own peak is read now.
    pub fn here(via: &str, stops: u64, cpu_seconds: f64, wall_seconds: f64) -> Self {
        let own = Snapshot::of(std::process::id().cast_signed());
        Self {
            via: via.to_owned(),
            stops,
            cpu_seconds,
            wall_seconds,
            peak_rss_bytes: own.ok().map(|own| own.peak_rss_bytes),
        }
    }

    /// The effort of launching.
    pub fn launched(cost: &ObserverCost) -> Self {
        Self::here(
            "ptrace with a seccomp filter",
            cost.stops,
            cost.tracer_cpu_seconds,
            cost.watched_seconds,
        )
    }
}

/// Growth, as it is reported. All figures are bytes unless their name says otherwise; those that
/// aren't known, because a log hasn't the calls that tell of them, are `None`.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct GrowthReport {
    /// What each program still had at its end (or has now) of what came to it while it was
    /// watched: the sum of `by_kind`, as far as that is known.
    pub bytes: Option<i64>,
    /// The most that all processes had at one moment: the sum of `peak_by_kind`.
    pub peak_bytes: Option<i64>,
    /// What was asked for in all.
    pub asked_bytes: Option<u64>,
    /// What was given back before a program's end.
    pub returned_bytes: Option<u64>,
    /// `bytes` by kind.
    pub by_kind: KindBytes,
    /// `peak_bytes` by kind.
    pub peak_by_kind: KindBytes,
    /// What each program asked for in its process, those that grew most first; empty where the calls
    /// that tell of it weren't logged. Of those that run, the 64 that grew most; of those that have
    /// ended, the 64 that asked for most.
    pub by_process: Vec<ProgramGrowth>,
    /// Programs that aren't told there.
    #[serde(skip_serializing_if = "is_zero")]
    pub programs_left_out: u64,
    /// What they grew by: all that `by_process` lacks of `bytes`. `None` if there are none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub programs_left_out_bytes: Option<i64>,
    /// The files that were read, those that made most grow first.
    pub by_file: Vec<ByFile>,
    /// What was asked for, less what was given back, while no file was being read.
    pub without_file_bytes: Option<i64>,
    /// Of that, the greatest part that came while a file was merely kept open.
    pub most_kept_open: Option<KeptOpen>,
    /// Files that were not told apart, because there were too many.
    #[serde(skip_serializing_if = "is_zero")]
    pub files_left_out: u64,
    /// Who asked, most first; empty unless stacks were asked for.
    pub by_stack: Vec<StackGrowth>,
    /// Whose code it was, most first; empty unless stacks were asked for.
    pub by_function: Vec<ByFunction>,
    /// Asked for by stacks that were not told apart, because there were too many.
    #[serde(skip_serializing_if = "is_zero")]
    pub stacks_left_out_bytes: u64,
    /// Asked for where no stack could be had; 0 if there is none at all.
    #[serde(skip_serializing_if = "is_zero")]
    pub without_stack_bytes: u64,
}

/// Growth while one file was being read.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ByFile {
    /// Its path; bytes that aren't UTF-8 are replaced.
    pub path: String,
    /// How often it was opened for reading.
    pub opens: u64,
    /// What was asked for, less what was given back, while it was being read.
    pub bytes: Option<u64>,
    /// What was asked for while it was being read.
    pub asked_bytes: Option<u64>,
    /// At how many of the openings memory grew.
    pub openings_grown: Option<u64>,
    /// By how much at a typical one (the median, within a factor of 2).
    pub median_bytes: Option<u64>,
    /// What was read of it in all; `None` if that isn't known.
    pub read_bytes: Option<u64>,
    /// How long it was being read in all; `None` if the source has no clock.
    pub seconds: Option<f64>,
}

/// Growth while a file was kept open until its program's end: it may have been read then, or not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct KeptOpen {
    /// The file beside which most was asked for; bytes that aren't UTF-8 are replaced.
    pub path: String,
    /// What was asked for, less what was given back. It is part of `without_file_bytes`.
    pub bytes: i64,
}

impl Trace {
    /// What a story comes to. The rest is for the source to fill in.
    pub fn of(story: &Story, source: EventSource, command: Option<&[OsString]>) -> Self {
        let lossy = |word: &OsString| word.to_string_lossy().into_owned();
        let logged = Logged::of(source, &story.tally);
        let fallback = logged.fallback(story.fallback.refused_brks());
        Self {
            command: command.map(|words| words.iter().map(lossy).collect()),
            source,
            processes: story.processes(),
            exit: None,
            lost_events: 0,
            syscalls: story.tally.clone(),
            growth: GrowthReport::of(&story.growth, logged),
            fallback: fallback.then(|| story.fallback.clone()),
            address_space: story.growth.layout().as_ref().map(AddressSpaceReport::of),
            malloc: None,
            findings: trace_findings(story),
            notes: logged.notes(),
            observer: None,
        }
    }
}

impl GrowthReport {
    fn of(growth: &Growth, logged: Logged) -> Self {
        let (by_kind, peak_by_kind) = (growth.by_kind(), growth.peak());
        let has_clock = growth.last_event().is_some();
        let by_file = |file| ByFile::of(file, has_clock, logged);
        let (known, by_file_known) = (logged.growth(), logged.growth_by_file());
        let by_process = if known { growth.by_process() } else { Vec::new() };
        let programs_left_out = growth.programs_left_out();
        let told_bytes: i64 = by_process.iter().map(|program| program.bytes).sum();
        let rest_bytes = (known && programs_left_out > 0).then(|| by_kind.total() - told_bytes);
        let by_stack: Vec<_> = growth.by_stack().into_iter().cloned().collect();
        Self {
            bytes: known.then(|| by_kind.total()),
            peak_bytes: known.then(|| peak_by_kind.total()),
            asked_bytes: known.then(|| growth.asked_bytes()),
            returned_bytes: logged.returned().then(|| growth.returned_bytes()),
            by_kind: logged.kinds(by_kind),
            by_process,
            programs_left_out,
            programs_left_out_bytes: rest_bytes,
            peak_by_kind: logged.kinds(peak_by_kind),
            by_file: growth.by_file().into_iter().map(by_file).collect(),
            without_file_bytes: by_file_known.then(|| growth.without_file_bytes()),
            most_kept_open: growth.most_kept_open().filter(|_| by_file_known).map(KeptOpen::of),
            files_left_out: growth.files_left_out(),
            by_function: by_function::by_function(&by_stack),
            without_stack_bytes: match by_stack.is_empty() {
                true => 0,
                false => growth.without_stack_bytes(),
            },
            by_stack,
            stacks_left_out_bytes: growth.stacks_left_out_bytes(),
        }
    }
}

impl ByFile {
    fn of(file: &FileGrowth, has_clock: bool, logged: Logged) -> Self {
        let openings = &file.openings;
        let known = logged.growth_by_file();
        Self {
            path: String::from_utf8_lossy(&file.path).into_owned(),
            opens: file.opens,
            bytes: known.then(|| file.bytes()),
            asked_bytes: known.then_some(file.asked_bytes),
            openings_grown: known.then_some(openings.grown),
            median_bytes: known.then(|| openings.median_bytes()),
            read_bytes: (openings.read_known > 0).then_some(openings.read_bytes),
            seconds: has_clock.then_some(openings.time.as_secs_f64()),
        }
    }
}

impl KeptOpen {
    fn of((file, bytes): (&FileGrowth, i64)) -> Self {
        let path = String::from_utf8_lossy(&file.path).into_owned();
        Self { path, bytes }
    }
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}
