//! What was found, in the shape of its JSON; and one figure of each arm per metric.

use crate::arm::{CONTROL, HOLE};
use crate::memory_limit::{CgroupCounters, CgroupVersion};
use heap_meter::experiment::{ArmResults, Results, Unit};
use heap_meter::statistics::median;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Everything that is known after some of the runs, or all of them.
pub(super) type OomResults = Results<OomArm, OomRow>;

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct OomArm {
    #[serde(flatten)]
    pub(super) loads: ArmResults<LoadRun>,
    /// How large a configuration survives a reload; `None` before it was looked for.
    pub(super) reload: Option<ReloadBracket>,
}

/// One process that loaded contexts until it was ended or had loaded all.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct LoadRun {
    /// Contexts that were loaded whole.
    pub(super) locations: u64,
    pub(super) ending: RunEnd,
    pub(super) process: ChildProcess,
    pub(super) limit: LimitInForce,
    /// Seconds of work, without the pauses.
    pub(super) work_seconds: f64,
    /// Before the first context, when half the budget was taken, at the end if it was alive then.
    pub(super) weighed: Vec<LoadWeight>,
    /// Growth of resident memory per location, from the first to the last weighing.
    pub(super) bytes_per_location: Option<f64>,
    /// Bytes by which the break moved. With the hole there is room for less than a page.
    pub(super) break_grown_bytes: u64,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct ChildProcess {
    pub(super) pid: i32,
    /// Its name as the kernel has it.
    pub(super) comm: String,
    /// Its wait status: `exit status: 0`, `signal: 9 (SIGKILL)`.
    pub(super) status: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub(super) enum RunEnd {
    Done,
    /// SIGKILL, and the cgroup's count of OOM kills moved.
    OomKilled {
        /// The kernel's own line about it; `None` where its log can't be read or has none.
        kernel_log: Option<String>,
    },
    /// A signal that the OOM killer has nothing to do with.
    Signalled {
        signal: i32,
    },
    /// The resource limit refused memory. The process was alive to tell.
    AllocationFailed {
        /// What it said, with OpenSSL's own error text.
        error: String,
        /// Its data (`VmData`) then.
        data_bytes: Option<u64>,
    },
}

/// The limit, as it was read back before the work was begun.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub(super) enum LimitInForce {
    Cgroup {
        version: CgroupVersion,
        /// Of its directory, which is gone by now.
        name: String,
        limit_bytes: u64,
        before: CgroupCounters,
        after: CgroupCounters,
    },
    Rlimit {
        resource: String,
        limit_bytes: u64,
    },
}

/// A moment at which the process stood still and was weighed.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) struct LoadWeight {
    pub(super) locations: u64,
    pub(super) rss_bytes: u64,
    pub(super) address_space_bytes: u64,
    /// Charged to its cgroup: with the kernel's own memory for it, and page cache.
    pub(super) usage_bytes: Option<u64>,
}

/// What survives a reload: old and new configuration are alive together.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct ReloadBracket {
    /// The greatest configuration that was reloaded and lived.
    pub(super) survives_locations: u64,
    /// The smallest that didn't; `None` when none was tried that didn't.
    pub(super) fails_locations: Option<u64>,
    /// Every reload that was tried, in order.
    pub(super) probes: Vec<ReloadProbe>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct ReloadProbe {
    /// Locations of the configuration, so that twice as many contexts are alive at most.
    pub(super) locations: u64,
    /// Contexts that were loaded, of both cycles.
    pub(super) loaded: u64,
    pub(super) ending: RunEnd,
    pub(super) limit: LimitInForce,
}

/// A figure of each arm.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct OomRow {
    pub(super) metric: String,
    pub(super) title: String,
    pub(super) unit: Unit,
    /// The median of the runs, by arm.
    #[serde(flatten)]
    pub(super) arms: BTreeMap<String, f64>,
    /// Arms of which no run met the budget, so that the figure is the least it may be.
    pub(super) at_least: Vec<String>,
    /// The hole's over the control's.
    pub(super) ratio: Option<f64>,
}

impl OomArm {
    pub(super) fn new(name: &str) -> Self {
        Self { loads: ArmResults::new(name), reload: None }
    }

    /// The median of a figure over the runs that have it.
    pub(super) fn median(&self, figure: impl Fn(&LoadRun) -> Option<f64>) -> Option<f64> {
        let figures: Vec<f64> = self.loads.runs.iter().filter_map(figure).collect();
        median(&figures)
    }
}

impl OomRow {
    /// Whether the arm's figure is the least it may be.
    pub(super) fn is_least(&self, arm: &str) -> bool {
        self.at_least.iter().any(|name| name == arm)
    }
}

pub(super) fn loads(results: &OomResults) -> impl Iterator<Item = &ArmResults<LoadRun>> {
    results.arms.iter().map(|arm| &arm.loads)
}

pub(super) fn arm<'a>(results: &'a OomResults, name: &str) -> Option<&'a OomArm> {
    results.arms.iter().find(|arm| arm.loads.name == name)
}

pub(super) fn row<'a>(results: &'a OomResults, metric: &str) -> Option<&'a OomRow> {
    results.comparison.iter().find(|row| row.metric == metric)
}

/// What each child may have, in bytes.
pub(super) fn budget(results: &OomResults) -> f64 {
    let budget = results.parameters.get("budget_bytes");
    budget.and_then(|bytes| bytes.as_f64()).unwrap_or(f64::NAN)
}

pub(super) const FIT: &str = "locations_that_fit";
pub(super) const COST: &str = "memory_per_location";
const ARITHMETIC: &str = "budget_over_cost";
const RELOAD: &str = "locations_that_survive_a_reload";

/// A row per metric that every arm has.
pub(super) fn compared(results: &OomResults) -> Vec<OomRow> {
    let budget = budget(results);
    let fits = figures(results, FIT, "locations that fit", Unit::Count, |arm| {
        let all = arm.loads.runs.iter().all(|run| run.ending == RunEnd::Done);
        Some((arm.median(|run| Some(run.locations as f64))?, all))
    });
    let costs =
        figures(results, COST, "memory per location", Unit::Bytes, |arm| Some((cost(arm)?, false)));
    let title = "budget ÷ memory per location";
    let arithmetic =
        figures(results, ARITHMETIC, title, Unit::Count, |arm| Some((budget / cost(arm)?, false)));
    let title = "locations that survive a reload";
    let reloads = figures(results, RELOAD, title, Unit::Count, |arm| {
        let reload = arm.reload.as_ref()?;
        let never_failed = reload.fails_locations.is_none();
        Some((reload.survives_locations as f64, never_failed))
    });
    [fits, costs, arithmetic, reloads].into_iter().flatten().collect()
}

fn cost(arm: &OomArm) -> Option<f64> {
    arm.median(|run| run.bytes_per_location)
}

/// `figure` gives an arm's figure, and whether that is the least it may be.
fn figures(
    results: &OomResults,
    metric: &str,
    title: &str,
    unit: Unit,
    figure: impl Fn(&OomArm) -> Option<(f64, bool)>,
) -> Option<OomRow> {
    let mut arms = BTreeMap::new();
    let mut at_least = Vec::new();
    for arm in &results.arms {
        let (value, least) = figure(arm)?;
        arms.insert(arm.loads.name.clone(), value);
        if least {
            at_least.push(arm.loads.name.clone());
        }
    }
    let ratio = arms.get(HOLE).zip(arms.get(CONTROL));
    Some(OomRow {
        metric: metric.to_owned(),
        title: title.to_owned(),
        unit,
        at_least,
        ratio: ratio.map(|(hole, control)| hole / control),
        arms,
    })
}
