//! What an experiment found, in the shape of its JSON.

use crate::environment::Environment;
use heap_diagnosis::Finding;
use heap_growth::{BreakMoves, Counts, Fallback};
use proc_memory::Snapshot;
use ptmalloc::HeapState;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Everything that is known after some of the runs, or all of them.
///
/// An experiment that knows more of its arms than an [`ArmResults`] has, or compares them otherwise
/// than by a [`Comparison`], has types of its own in their places.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Results<A = ArmResults, C = Comparison> {
    /// Name of the experiment.
    pub experiment: String,
    /// The machine and the libraries it ran on.
    pub environment: Environment,
    /// What was asked for, as the command line had it.
    pub parameters: BTreeMap<String, serde_json::Value>,
    /// The arms in their order; the first is the control.
    pub arms: Vec<A>,
    /// Each metric, the control against every other arm.
    pub comparison: Vec<C>,
    /// What follows from the figures.
    pub findings: Vec<Finding>,
    /// What this experiment did not do, and why.
    pub notes: Vec<String>,
}

/// The runs of one arm; of a type of their own where they tell more than a [`Run`].
#[derive(Clone, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ArmResults<R = Run> {
    /// Name of the arm: `control`, `hole`, ….
    pub name: String,
    /// Runs that count, in the order in which they ran.
    pub runs: Vec<R>,
    /// Runs whose condition couldn't be made. They are in no figure.
    pub void_runs: Vec<VoidRun>,
}

/// One run: an untraced process and, where it was permitted, a traced one beside it.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Run {
    /// Seconds of work in the untraced process: from its first checkpoint to its last, without the
    /// weighing; from its start to its end where it marks none itself.
    pub wall_seconds: f64,
    /// The checkpoints of the untraced process, in order.
    pub checkpoints: Vec<Checkpoint>,
    /// Seconds that the untraced process stood still to be weighed; not part of `wall_seconds`.
    pub weighing_seconds: f64,
    /// What the program said about itself.
    pub facts: BTreeMap<String, String>,
    /// Calls and failures per system call, of the whole traced process; `None` when not traced.
    pub syscalls: Option<BTreeMap<String, Counts>>,
    /// Which way the break was to go in the traced process; `None` when not traced.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub break_moves: Option<BreakMoves>,
    /// malloc's fallback in the traced process; `None` when not traced.
    pub fallback: Option<Fallback>,
    /// What tracing cost; `None` when not traced.
    pub traced: Option<Traced>,
}

/// A moment at which the untraced process was weighed.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Checkpoint {
    /// Its name.
    pub label: String,
    /// Seconds of work since the checkpoint before, or since the start.
    pub worked_seconds: f64,
    /// What it weighed.
    #[serde(flatten)]
    pub snapshot: Snapshot,
    /// What malloc kept, where the program had it looked at
    /// ([`Checkpoints::reach_examined`](super::Checkpoints::reach_examined)).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub malloc: Option<HeapState>,
    /// Why that isn't known, where it was looked at in vain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub malloc_unknown: Option<String>,
}

impl Checkpoint {
    /// What malloc_trim(3) would have given back, in bytes; `None` where malloc wasn't looked at,
    /// or where it isn't known ([`why_unknown`](Self::why_unknown)).
    pub fn returnable_bytes(&self) -> Option<u64> {
        self.malloc.as_ref()?.returnable_bytes
    }

    /// Why it isn't known what malloc_trim(3) would have given back, though malloc was looked at.
    pub fn why_unknown(&self) -> Option<&str> {
        let of_an_arena = || {
            let state = self.malloc.as_ref()?;
            let mut arenas = state.arenas.iter();
            arenas.find_map(|arena| arena.unknown.as_deref())
        };
        match &self.malloc_unknown {
            Some(reason) => Some(reason),
            None if self.returnable_bytes().is_none() => of_an_arena(),
            None => None,
        }
    }
}

/// The observer's own cost in a traced process.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Traced {
    /// The same seconds of work as `wall_seconds`, with the tracer watching.
    pub wall_seconds: f64,
    /// How often the tracer stopped the process.
    pub stops: u64,
    /// Processor seconds of the tracer's thread.
    pub tracer_cpu_seconds: f64,
}

/// A run that doesn't count.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct VoidRun {
    /// Why: the program's own words.
    pub reason: String,
    /// Whether it was the traced process; `None` where none is to be traced.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traced: Option<bool>,
}

impl<A, C> Results<A, C> {
    /// Before the first run.
    pub fn new(
        experiment: &str,
        environment: Environment,
        parameters: BTreeMap<String, serde_json::Value>,
        arms: Vec<A>,
    ) -> Self {
        Self {
            experiment: experiment.to_owned(),
            environment,
            parameters,
            arms,
            comparison: Vec::new(),
            findings: Vec::new(),
            notes: Vec::new(),
        }
    }

    /// Adds a note, once.
    pub fn note(&mut self, note: impl Into<String>) {
        let note = note.into();
        if !self.notes.contains(&note) {
            self.notes.push(note);
        }
    }
}

impl<R> ArmResults<R> {
    /// Before its first run.
    pub fn new(name: &str) -> Self {
        Self { name: name.to_owned(), runs: Vec::new(), void_runs: Vec::new() }
    }
}

impl Results {
    /// The arm of this name.
    pub fn arm(&self, name: &str) -> Option<&ArmResults> {
        self.arms.iter().find(|arm| arm.name == name)
    }
}

impl Run {
    /// Calls and failures of one system call; zeros for one that was never made, `None` when
    /// nothing was counted.
    pub fn syscall(&self, name: &str) -> Option<Counts> {
        let syscalls = self.syscalls.as_ref()?;
        Some(syscalls.get(name).copied().unwrap_or_default())
    }

    /// The greatest peak of all weighings, in bytes. (The kernel's own note of a peak that has
    /// passed may be short.) `None` where nothing was weighed.
    pub fn peak_rss_bytes(&self) -> Option<u64> {
        let checkpoints = self.checkpoints.iter();
        checkpoints.map(|at| at.snapshot.peak_rss_bytes).max()
    }

    /// The first checkpoint of this label.
    pub fn checkpoint(&self, label: &str) -> Option<&Checkpoint> {
        self.checkpoints.iter().find(|checkpoint| checkpoint.label == label)
    }
}

/// What a metric counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Unit {
    /// Seconds of wall time.
    Seconds,
    /// Bytes of memory.
    Bytes,
    /// Calls, faults, mappings.
    Count,
}

/// A metric in the control and in one other arm: medians over the runs.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Comparison {
    /// Name of the metric.
    pub metric: String,
    /// Its name for people.
    pub title: String,
    /// What it counts.
    pub unit: Unit,
    /// Median in the control.
    pub control: f64,
    /// Median in the other arm, under that arm's name.
    #[serde(flatten)]
    pub(super) other: BTreeMap<String, f64>,
    /// The other arm's median over the control's; `None` when the control's is 0.
    pub ratio: Option<f64>,
    /// Bootstrap 95 % interval of the ratio; `None` for fewer than three runs an arm.
    pub ratio_ci95: Option<[f64; 2]>,
}

impl Comparison {
    /// Name of the other arm.
    pub fn other_name(&self) -> &str {
        self.other.keys().next().map_or("", String::as_str)
    }

    /// Median in the other arm.
    pub fn other(&self) -> f64 {
        self.other.values().next().copied().unwrap_or(f64::NAN)
    }
}
