//! The raw results, as they are kept: each step with the break free and with it blocked; and the table
//! for people.

use super::workload::{FREED, HELD, NAMES, ONE, TRIMMED, Workload, WorkloadStep};
use crate::campaign::{Measurements, fault_lines};
use crate::testbed::Versions;
use heap_growth::Fallback;
use heap_meter::experiment::{Results, Run};
use heap_meter::statistics::median;
use human_text::thousands;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// The break is left free.
pub const CONTROL: &str = "control";

/// The break is blocked.
pub const HOLE: &str = "hole";

#[derive(Debug, Serialize)]
pub struct History {
    pub method: BTreeMap<String, String>,
    pub parameters: Value,
    pub releases: Vec<ReleaseFigures>,
}

/// One release: what it has, what was measured, and what is wrong with it.
#[derive(Debug, Serialize)]
pub struct ReleaseFigures {
    pub name: String,
    pub faults: Vec<String>,
    #[serde(flatten)]
    pub versions: Versions,
    #[serde(flatten)]
    pub workloads: BTreeMap<String, WorkloadFigures>,
}

#[derive(Debug, Serialize, Deserialize)]
pub struct WorkloadFigures {
    pub control: ArmFigures,
    pub hole: ArmFigures,
}

/// The steps that the workload has, and what a context costs beyond the first, if it has any.
#[derive(Debug, Serialize, Deserialize)]
pub struct ArmFigures {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub one: Option<StepFigures>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub held: Option<StepFigures>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub freed: Option<StepFigures>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trimmed: Option<StepFigures>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seconds_per_context: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rss_bytes_per_context: Option<f64>,
}

/// The medians of a step's runs.
#[derive(Debug, Serialize, Deserialize)]
pub struct StepFigures {
    pub command: String,
    pub wall_seconds: Option<f64>,
    pub rss_bytes: Option<f64>,
    pub peak_rss_bytes: Option<f64>,
    pub fallback: Option<Fallback>,
    pub notes: Vec<String>,
    pub runs: Vec<RunFigures>,
}

#[derive(Debug, Serialize, Deserialize)]
pub struct RunFigures {
    wall_seconds: f64,
    rss_bytes: Option<u64>,
    peak_rss_bytes: Option<u64>,
    brk_calls: Option<u64>,
    brk_refused: Option<u64>,
    fallback: Option<Fallback>,
}

impl ReleaseFigures {
    pub fn new(name: &str, versions: Versions) -> Self {
        Self { name: name.to_owned(), faults: Vec::new(), versions, workloads: BTreeMap::new() }
    }
}

impl WorkloadFigures {
    /// Of one comparison for each of its steps, in their order.
    pub fn of(workload: &Workload, results: &[Results]) -> Self {
        Self {
            control: ArmFigures::of(workload, results, CONTROL),
            hole: ArmFigures::of(workload, results, HOLE),
        }
    }
}

impl ArmFigures {
    fn of(workload: &Workload, results: &[Results], arm: &str) -> Self {
        let step = |name| {
            let mut steps = workload.steps.iter().zip(results);
            let (step, results) = steps.find(|(step, _)| step.name == name)?;
            Some(StepFigures::of(step, results, arm))
        };
        let (one, held) = (step(ONE), step(HELD));
        let per_context = |figure: fn(&StepFigures) -> Option<f64>| {
            let further = workload.contexts?.checked_sub(1)?;
            let difference = figure(held.as_ref()?)? - figure(one.as_ref()?)?;
            Some(difference / f64::from(further))
        };
        Self {
            seconds_per_context: per_context(|step| step.wall_seconds),
            rss_bytes_per_context: per_context(|step| step.rss_bytes),
            one,
            held,
            freed: step(FREED),
            trimmed: step(TRIMMED),
        }
    }
}

impl StepFigures {
    fn of(step: &WorkloadStep, results: &Results, arm: &str) -> Self {
        let runs = runs(results, arm);
        let middle = |figure: fn(&Run) -> Option<f64>| {
            median(&runs.iter().filter_map(figure).collect::<Vec<_>>())
        };
        // They all have the same count of fallbacks, unless the program's own memory isn't the same
        // in every run.
        let mut sorted: Vec<&Run> = runs.iter().collect();
        sorted.sort_by_key(|run| run.fallback.as_ref().map(Fallback::count));
        let typical = sorted.get(sorted.len().saturating_sub(1) / 2);
        Self {
            command: step.words.join(" "),
            wall_seconds: middle(|run| Some(run.wall_seconds)),
            rss_bytes: middle(|run| Some(run.checkpoint("end")?.snapshot.rss_bytes as f64)),
            peak_rss_bytes: middle(|run| Some(run.peak_rss_bytes()? as f64)),
            fallback: typical.and_then(|run| run.fallback.clone()),
            notes: results.notes.clone(),
            runs: runs.iter().map(RunFigures::of).collect(),
        }
    }
}

impl RunFigures {
    fn of(run: &Run) -> Self {
        let (brk, end) = (run.syscall("brk"), run.checkpoint("end"));
        Self {
            wall_seconds: run.wall_seconds,
            rss_bytes: end.map(|end| end.snapshot.rss_bytes),
            peak_rss_bytes: end.map(|end| end.snapshot.peak_rss_bytes),
            brk_calls: brk.map(|brk| brk.calls),
            brk_refused: brk.map(|brk| brk.failed),
            fallback: run.fallback.clone(),
        }
    }
}

pub fn runs<'a>(results: &'a Results, arm: &str) -> &'a [Run] {
    results.arm(arm).map_or(&[], |arm| &arm.runs)
}

/// Its first line would lose its spaces to a backslash before it.
const HEADING: [&str; 2] = [
    "                                              resident, MiB            a context",
    "work    release   glibc  OpenSSL  break      held   freed trimmed     ms     KiB   fallbacks",
];

impl Measurements for History {
    const NAME: &'static str = "history";

    /// Two lines for each workload and release, and what is wrong.
    fn table(&self) -> String {
        let mut text = HEADING.join("\n") + "\n";
        for name in NAMES {
            text.push('\n');
            for release in &self.releases {
                if let Some(workload) = release.workloads.get(name) {
                    text += &row(name, release, &workload.control, "free");
                    text += &row(name, release, &workload.hole, "blocked");
                }
            }
        }
        let faults = self.releases.iter().flat_map(|release| {
            let faults = release.faults.iter();
            faults.map(|fault| (release.name.as_str(), fault.clone()))
        });
        text + &fault_lines("FAILED", faults)
    }

    fn verdict(&self) -> Option<String> {
        let faults: usize = self.releases.iter().map(|of| of.faults.len()).sum();
        (faults > 0).then(|| format!("{faults} figures aren't what they are called: see above"))
    }
}

fn row(name: &str, release: &ReleaseFigures, arm: &ArmFigures, title: &str) -> String {
    let mib = |step: &Option<StepFigures>| {
        let bytes = step.as_ref().and_then(|step| step.rss_bytes);
        number(bytes.map(|bytes| bytes / 1_048_576.0), 1)
    };
    // Only with contexts there is a step of one.
    let openssl = arm.one.as_ref().map(|_| &release.versions["openssl"]);
    let held = arm.held.as_ref();
    let fallback = held.and_then(|held| held.fallback.as_ref());
    let row = format!(
        "{name:<7} {:<9} {:<6} {:<8} {title:<7} {:>7} {:>7} {:>7} {:>6} {:>7}   {}",
        release.name,
        release.versions["glibc"],
        openssl.map_or("", String::as_str),
        mib(&arm.held),
        mib(&arm.freed),
        mib(&arm.trimmed),
        number(arm.seconds_per_context.map(|seconds| seconds * 1e3), 1),
        number(arm.rss_bytes_per_context.map(|bytes| bytes / 1024.0), 0),
        fallback.map_or("not counted".to_owned(), sizes),
    );
    row.trim_end().to_owned() + "\n"
}

/// Counts and sizes, the largest first, as glibc makes them.
fn sizes(fallback: &Fallback) -> String {
    let sizes = fallback.sizes().iter().rev();
    let each = sizes.map(|(bytes, count)| format!("{} × {}", thousands(*count), size(*bytes)));
    let all: Vec<String> = each.collect();
    match all.is_empty() {
        true => "none".to_owned(),
        false => all.join(", "),
    }
}

fn size(bytes: u64) -> String {
    match bytes % (1 << 20) {
        0 => format!("{} MiB", bytes >> 20),
        _ => format!("{} B", thousands(bytes)),
    }
}

fn number(value: Option<f64>, decimals: usize) -> String {
    value.map_or(String::new(), |value| format!("{value:.decimals$}"))
}
