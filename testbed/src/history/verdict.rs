//! Whether the figures are what they are called.

use super::figures::{CONTROL, HOLE, WorkloadFigures, runs};
use super::workload::{HELD, Workload};
use heap_meter::experiment::{Results, Run};

/// The unit in which malloc is to fall back (glibc's `MMAP_AS_MORECORE_SIZE`).
const UNIT_BYTES: u64 = 1 << 20;

/// The glibc versions (2.x) that round up only the first fallback; a later one is as large as it
/// has to be.
///
/// # References
/// glibc commits 0849eed45d (2.35) and 6a734e62f1 (2.38), `malloc/malloc.c`,
/// `sysmalloc_mmap_fallback`.
const TRANSPOSED: std::ops::RangeInclusive<u32> = 35..=37;

/// What is wrong with the runs of a workload on a release with this glibc: figures that aren't what
/// they are called.
pub fn on(workload: &Workload, results: &[Results], glibc: &str, repeats: u32) -> Vec<String> {
    let mut faults = Vec::new();
    for (step, results) in workload.steps.iter().zip(results) {
        let (control_runs, hole_runs) = (runs(results, CONTROL), runs(results, HOLE));
        let wrong = [
            endings(control_runs, hole_runs, repeats),
            control(control_runs),
            hole(hole_runs, glibc),
        ];
        let fault = |message| format!("{}, {}: {message}", workload.name, step.name);
        faults.extend(wrong.into_iter().flatten().map(fault));
    }
    faults
}

/// A context holds every certificate: half the size of their base64 is less than that.
pub fn too_cheap(name: &str, figures: &WorkloadFigures, bundle_bytes: usize) -> Vec<String> {
    let least = bundle_bytes as f64 / 2.0;
    let arms = [(CONTROL, &figures.control), (HOLE, &figures.hole)];
    let faults = arms.into_iter().filter_map(|(arm, figures)| {
        let bytes = figures.rss_bytes_per_context?;
        // Not "less": what isn't a number isn't enough either.
        let is_enough = bytes >= least;
        (!is_enough).then(|| {
            format!(
                "{name}, {HELD}: {arm}: a context of {bytes:.0} bytes can't hold a bundle of \
                 {bundle_bytes}"
            )
        })
    });
    faults.collect()
}

fn endings(control: &[Run], hole: &[Run], repeats: u32) -> Option<String> {
    let all = control.iter().chain(hole);
    let exit = |run: &Run| run.facts.get("exit").cloned().unwrap_or_default();
    if let Some(run) = all.clone().find(|run| exit(run) != "code 0") {
        return Some(format!("it ended with {}", exit(run)));
    }
    if control.len() != repeats as usize || hole.len() != repeats as usize {
        let (control, hole) = (control.len(), hole.len());
        return Some(format!("{control} and {hole} runs count instead of {repeats}"));
    }
    let unweighed = all.clone().find(|run| run.checkpoints.is_empty())?;
    let reason = unweighed.facts.get("not_weighed");
    Some(format!("not weighed: {}", reason.map_or("", String::as_str)))
}

/// The break was free in most of them. (Randomisation puts it close below a mapping now and then.)
fn control(runs: &[Run]) -> Option<String> {
    let refused = |run: &&Run| run.fallback.as_ref().is_some_and(|all| all.count() > 0);
    let blocked = runs.iter().filter(refused).count();
    let is_free = blocked * 2 < runs.len().max(1);
    let of = runs.len();
    (!is_free)
        .then(|| format!("the break that is to be free was blocked in {blocked} of {of} runs"))
}

/// malloc fell back in each of them, in the sizes that this glibc's source says.
fn hole(runs: &[Run], glibc: &str) -> Option<String> {
    for run in runs {
        let Some(fallback) = &run.fallback else {
            return Some("fallbacks weren't counted: programs can't be traced here".to_owned());
        };
        if fallback.count() == 0 {
            return Some("with the hole malloc never fell back: was it made?".to_owned());
        }
        let sizes = fallback.sizes();
        let small: u64 = sizes.range(..UNIT_BYTES).map(|(_, count)| count).sum();
        let large = fallback.count() - small;
        let is_as_written = match minor(glibc) {
            Some(minor) if TRANSPOSED.contains(&minor) => large > 0 && small > large,
            _ => small == 0,
        };
        if !is_as_written {
            return Some(format!(
                "fallbacks that glibc {glibc} isn't known for: {small} below 1 MiB, {large} of \
                 1 MiB and more"
            ));
        }
    }
    None
}

/// 36 of `2.36`.
fn minor(glibc: &str) -> Option<u32> {
    glibc.strip_prefix("2.")?.parse().ok()
}
