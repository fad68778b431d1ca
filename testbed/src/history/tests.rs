//! What becomes of measured workloads, which are made up here: figures, table and verdict.

use super::figures::{ArmFigures, CONTROL, HOLE, History, ReleaseFigures, WorkloadFigures};
use super::verdict;
use super::workload::{FREED, HELD, ONE, TRIMMED, Workload};
use crate::campaign::Measurements;
use heap_meter::environment::Environment;
use heap_meter::experiment::{ArmResults, Results, Run};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// MiB that a run of a step has in the end, free and blocked.
const RSS_MIB: [(&str, u64, u64); 4] =
    [(ONE, 8, 8), (HELD, 18, 28), (FREED, 2, 28), (TRIMMED, 2, 12)];

/// The workload of this name with 11 contexts, a run for each arm and step, in which malloc fell back
/// to these sizes. A step with many contexts took two seconds, the others one.
fn measured(name: &str, sizes: &[(u64, u64)]) -> (Workload, Vec<Results>) {
    let mut workloads = Workload::all(11).into_iter();
    let workload = workloads.find(|workload| workload.name == name);
    let workload = workload.expect("a known workload");
    let of = |step: &str| {
        let (_, control, hole) = RSS_MIB.into_iter().find(|(name, ..)| *name == step).unwrap();
        let seconds = if step == ONE { 1.0 } else { 2.0 };
        results([(CONTROL, run(control, seconds, &[])), (HOLE, run(hole, seconds, sizes))])
    };
    let results = workload.steps.iter().map(|step| of(step.name)).collect();
    (workload, results)
}

/// Their figures.
fn figures(name: &str, sizes: &[(u64, u64)]) -> WorkloadFigures {
    let (workload, results) = measured(name, sizes);
    WorkloadFigures::of(&workload, &results)
}

fn results(arms: [(&str, Run); 2]) -> Results {
    let arm = |(name, run): (&str, Run)| {
        let mut arm = ArmResults::new(name);
        arm.runs.push(run);
        arm
    };
    let (here, none) = (Environment::here(), BTreeMap::new());
    Results::new("compare", here, none, arms.map(arm).into())
}

fn run(rss_mib: u64, seconds: f64, sizes: &[(u64, u64)]) -> Run {
    let snapshot = [
        "pss_bytes",
        "private_bytes",
        "private_dirty_bytes",
        "swap_bytes",
        "address_space_bytes",
        "heap_segment_bytes",
        "minor_faults",
        "major_faults",
        "threads",
    ];
    let mut end: BTreeMap<&str, Value> = snapshot.map(|name| (name, json!(1))).into();
    end.insert("label", json!("end"));
    end.insert("worked_seconds", json!(seconds));
    end.insert("rss_bytes", json!(rss_mib << 20));
    end.insert("peak_rss_bytes", json!(rss_mib << 20));
    let count: u64 = sizes.iter().map(|(_, count)| count).sum();
    let bytes: u64 = sizes.iter().map(|(bytes, count)| bytes * count).sum();
    let run = json!({
        "wall_seconds": seconds,
        "checkpoints": [end],
        "weighing_seconds": 0.0,
        "facts": { "exit": "code 0" },
        "syscalls": { "brk": { "calls": 3, "failed": count } },
        "fallback": {
            "count": count,
            "bytes": bytes,
            "sizes": sizes.iter().copied().collect::<BTreeMap<u64, u64>>(),
        },
        "traced": null,
    });
    serde_json::from_value(run).unwrap()
}

#[test]
fn a_context_costs_what_the_first_did_not() {
    let bundle = figures("bundle", &[]);
    let cost = |arm: &ArmFigures| arm.rss_bytes_per_context.unwrap();
    assert_eq!(cost(&bundle.control), f64::from(1 << 20));
    assert_eq!(cost(&bundle.hole), f64::from(2 << 20));
    assert_eq!(bundle.hole.seconds_per_context, Some(0.1));
    assert_eq!(figures("burst", &[]).hole.seconds_per_context, None);
}

#[test]
fn a_step_that_a_workload_has_not_has_no_figure() {
    let nginx = figures("nginx", &[]);
    assert!(nginx.hole.held.unwrap().rss_bytes.is_some());
    assert!(nginx.hole.freed.is_none());
}

#[test]
fn without_runs_there_is_no_figure() {
    let (workload, mut results) = measured("burst", &[]);
    results[0].arms[1].runs.clear();
    let held = WorkloadFigures::of(&workload, &results).hole.held.unwrap();
    assert_eq!((held.rss_bytes, held.fallback), (None, None));
}

#[test]
fn workloads_stand_together_and_what_is_not_there_is_blank() {
    let release = |name, glibc: &str, sizes: &[(u64, u64)]| {
        let versions = [("glibc", glibc), ("openssl", "3")];
        let versions = versions.map(|(name, version)| (name.into(), version.into()));
        let mut release = ReleaseFigures::new(name, versions.into());
        for name in ["burst", "nginx"] {
            let figures = figures(name, sizes);
            release.workloads.insert(name.to_owned(), figures);
        }
        release
    };
    let whole = [(1 << 20, 1815)];
    let first = [(1 << 20, 1), (151_552, 1814)];
    let mut releases = [
        release("bullseye", "2.31", &whole),
        release("bookworm", "2.36", &first),
        release("trixie", "2.41", &first),
    ];
    releases[2].faults.push("burst, held: wrong".to_owned());
    let history =
        History { method: BTreeMap::new(), parameters: Value::Null, releases: releases.into() };
    let text = history.table();
    let rows: Vec<&str> = text.lines().filter(|line| line.contains("free ")).collect();
    let name = |row: &&str| row.split_whitespace().next().map(str::to_owned);
    let names: Vec<String> = rows.iter().filter_map(name).collect();
    assert_eq!(names, ["burst", "burst", "burst", "nginx", "nginx", "nginx"]);
    let row = |of: &str| text.lines().find(|line| line.starts_with(of)).unwrap();
    let words = |row: &str| row.split_whitespace().collect::<Vec<_>>().join(" ");
    let burst = words(row("burst   bookworm  2.36            blocked"));
    let end = "28.0 28.0 12.0 1 × 1 MiB, 1,814 × 151,552 B";
    assert_eq!(burst, format!("burst bookworm 2.36 blocked {end}"));
    let nginx = words(row("nginx   bullseye  2.31   3        free"));
    assert_eq!(nginx, "nginx bullseye 2.31 3 free 18.0 100.0 1024 none");
    assert!(text.ends_with("\n\nFAILED trixie: burst, held: wrong\n"));
}

const WHOLE: &[(u64, u64)] = &[(1 << 20, 9)];
const FIRST_ONLY: &[(u64, u64)] = &[(1 << 20, 1), (135_168, 60)];

fn faults(name: &str, sizes: &[(u64, u64)], glibc: &str) -> Vec<String> {
    let (workload, results) = measured(name, sizes);
    verdict::on(&workload, &results, glibc, 1)
}

#[test]
fn each_glibc_has_its_sizes() {
    for (glibc, right, wrong) in
        [("2.31", WHOLE, FIRST_ONLY), ("2.36", FIRST_ONLY, WHOLE), ("2.41", WHOLE, FIRST_ONLY)]
    {
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
    let faults = verdict::on(&workload, &results, "2.31", 1);
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
        verdict::on(&workload, &results, "2.31", 1),
        ["python, held: it ended with code 1", "python, freed: 1 and 0 runs count instead of 1"]
    );
}

#[test]
fn a_context_that_holds_no_bundle_is_noticed() {
    // 10 MiB for ten contexts in the one arm, 20 in the other.
    let bundle = figures("bundle", WHOLE);
    assert!(verdict::too_cheap("bundle", &bundle, 200_000).is_empty());
    let faults = verdict::too_cheap("bundle", &bundle, 3 << 20);
    assert_eq!(faults.len(), 1);
    assert!(faults[0].starts_with("bundle, held: control: "), "{faults:?}");
}
