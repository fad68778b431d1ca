//! What was found, in the shape of its JSON.

use crate::memory_limit::{Evidence, Version};
use heap_meter::environment::Environment;
use heap_meter::experiment::Unit;
use heap_meter::finding::Finding;
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeMap;

/// Everything that is known after some of the runs, or all of them.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Results {
    pub(super) experiment: &'static str,
    pub(super) environment: Environment,
    pub(super) parameters: BTreeMap<String, Value>,
    pub(super) arms: Vec<Arm>,
    pub(super) comparison: Vec<Row>,
    pub(super) findings: Vec<Finding>,
    pub(super) notes: Vec<String>,
}

/// The runs of one arm.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Arm {
    pub(super) name: &'static str,
    pub(super) runs: Vec<Run>,
    pub(super) void_runs: Vec<VoidRun>,
    /// How large a configuration survives a reload; `None` before it was looked for.
    pub(super) reload: Option<Reload>,
}

/// One process that loaded contexts until it was ended or had loaded all.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Run {
    /// Contexts that were loaded whole.
    pub(super) locations: u64,
    pub(super) ending: Ending,
    pub(super) process: Process,
    pub(super) limit: LimitInForce,
    /// Seconds of work, without the pauses.
    pub(super) work_seconds: f64,
    /// Before the first context, when half the budget was taken, at the end if it was alive then.
    pub(super) weighed: Vec<Weighed>,
    /// Growth of resident memory per location, from the first to the last weighing.
    pub(super) bytes_per_location: Option<f64>,
    /// Bytes by which the break moved. With the hole there is room for less than a page.
    pub(super) break_grown_bytes: u64,
}

/// Who it was.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Process {
    pub(super) pid: i32,
    /// Its name as the kernel has it.
    pub(super) comm: String,
    /// Its wait status: `exit status: 0`, `signal: 9 (SIGKILL)`.
    pub(super) status: String,
}

/// How a process ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub(super) enum Ending {
    /// It did all its work.
    Done,
    /// SIGKILL, and the cgroup's count of OOM kills moved.
    OomKilled {
        /// The kernel's own line about it; `None` where its log can't be read or has none.
        kernel_log: Option<String>,
    },
    /// A signal that the OOM killer has nothing to do with.
    Signalled { signal: i32 },
    /// The resource limit refused memory. The process was alive to tell.
    AllocationFailed {
        /// What it said, with OpenSSL's own error text.
        error: String,
        /// Its data (`VmData`) then.
        data_bytes: Option<u64>,
    },
}

/// The limit, as it was read back before the work was begun.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub(super) enum LimitInForce {
    Cgroup {
        version: Version,
        /// Of its directory, which is gone by now.
        name: String,
        limit_bytes: u64,
        before: Evidence,
        after: Evidence,
    },
    Rlimit {
        resource: &'static str,
        limit_bytes: u64,
    },
}

/// A moment at which the process stood still and was weighed.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct Weighed {
    pub(super) locations: u64,
    pub(super) rss_bytes: u64,
    pub(super) address_space_bytes: u64,
    /// Charged to its cgroup: with the kernel's own memory for it, and page cache.
    pub(super) usage_bytes: Option<u64>,
}

/// A run that doesn't count.
#[derive(Clone, Debug, Serialize)]
pub(super) struct VoidRun {
    pub(super) reason: String,
}

/// What survives a reload: old and new configuration are alive together.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Reload {
    /// The greatest configuration that was reloaded and lived.
    pub(super) survives_locations: u64,
    /// The smallest that didn't; `None` when none was tried that didn't.
    pub(super) fails_locations: Option<u64>,
    /// Every reload that was tried, in order.
    pub(super) probes: Vec<Probe>,
}

/// One reload.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Probe {
    /// Locations of the configuration, so that twice as many contexts are alive at most.
    pub(super) locations: u64,
    /// Contexts that were loaded, of both cycles.
    pub(super) loaded: u64,
    pub(super) ending: Ending,
    pub(super) limit: LimitInForce,
}

/// A figure of each arm.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Row {
    pub(super) metric: &'static str,
    pub(super) title: &'static str,
    pub(super) unit: Unit,
    /// The median of the runs, by arm.
    #[serde(flatten)]
    pub(super) arms: BTreeMap<&'static str, f64>,
    /// Arms of which no run met the budget, so that the figure is the least it may be.
    pub(super) at_least: Vec<&'static str>,
    /// The hole's over the control's.
    pub(super) ratio: Option<f64>,
}

impl Results {
    pub(super) fn arm(&self, name: &str) -> Option<&Arm> {
        self.arms.iter().find(|arm| arm.name == name)
    }

    pub(super) fn row(&self, metric: &str) -> Option<&Row> {
        self.comparison.iter().find(|row| row.metric == metric)
    }

    pub(super) fn note(&mut self, note: impl Into<String>) {
        let note = note.into();
        if !self.notes.contains(&note) {
            self.notes.push(note);
        }
    }
}
