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
///
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
        return Some(format!(
            "{control} and {hole} runs count instead of {repeats}"
        ));
    }
    let unweighed = all.clone().find(|run| run.checkpoints.is_empty())?;
    let reason = unweighed.facts.get("not_weighed");
    Some(format!(
        "not weighed: {}",
        reason.map_or("", String::as_str)
    ))
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

#[cfg(test)]
mod tests {
    use super::super::samples::{figures, measured};
    use super::*;

    const WHOLE: &[(u64, u64)] = &[(1 << 20, 9)];
    const FIRST_ONLY: &[(u64, u64)] = &[(1 << 20, 1), (135_168, 60)];

    fn faults(name: &str, sizes: &[(u64, u64)], glibc: &str) -> Vec<String> {
        let (workload, results) = measured(name, sizes);
        on(&workload, &results, glibc, 1)
    }

    #[test]
    fn each_glibc_has_its_sizes() {
        for (glibc, right, wrong) in [
            ("2.31", WHOLE, FIRST_ONLY),
            ("2.36", FIRST_ONLY, WHOLE),
            ("2.41", WHOLE, FIRST_ONLY),
        ] {
            assert!(faults("bundle", right, glibc).is_empty(), "{glibc}");
            let faults = faults("bundle", wrong, glibc);
            assert_eq!(faults.len(), 4, "one for each step: {faults:?}");
            assert!(faults[0].contains(glibc), "{faults:?}");
        }
    }

    #[test]
    fn a_hole_without_fallbacks_is_named() {
        let faults = faults("burst", &[], "2.31");
        assert!(faults[0].starts_with("burst, held: "), "{faults:?}");
        assert!(faults[0].contains("never fell back"), "{faults:?}");
    }

    #[test]
    fn a_control_that_fell_back_is_no_control() {
        let (workload, mut results) = measured("nginx", WHOLE);
        for results in &mut results {
            results.arms[0].runs[0].fallback = results.arms[1].runs[0].fallback.clone();
        }
        let faults = on(&workload, &results, "2.31", 1);
        assert_eq!(faults.len(), 2);
        assert!(faults[0].contains("blocked in 1 of 1"), "{faults:?}");
    }

    #[test]
    fn failed_and_missing_runs_are_told() {
        let (workload, mut results) = measured("python", WHOLE);
        let failed = results[1].arms[0].runs[0].facts.get_mut("exit");
        *failed.unwrap() = "code 1".to_owned();
        results[2].arms[1].runs.clear();
        assert_eq!(
            on(&workload, &results, "2.31", 1),
            [
                "python, held: it ended with code 1",
                "python, freed: 1 and 0 runs count instead of 1"
            ]
        );
    }

    #[test]
    fn a_context_that_holds_no_bundle_is_noticed() {
        // 10 MiB for ten contexts in the one arm, 20 in the other.
        let bundle = figures("bundle", WHOLE);
        assert!(too_cheap("bundle", &bundle, 200_000).is_empty());
        let faults = too_cheap("bundle", &bundle, 3 << 20);
        assert_eq!(faults.len(), 1);
        assert!(
            faults[0].starts_with("bundle, held: control: "),
            "{faults:?}"
        );
    }
}
