//! Measured workloads that tests make up.

use super::figures::{CONTROL, HOLE, WorkloadFigures};
use super::workload::{FREED, HELD, ONE, TRIMMED, Workload};
use heap_meter::environment::Environment;
use heap_meter::experiment::{ArmResults, Results, Run};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// MiB that a run of a step has in the end, free and blocked.
const RSS_MIB: [(&str, u64, u64); 4] = [
    (ONE, 8, 8),
    (HELD, 18, 28),
    (FREED, 2, 28),
    (TRIMMED, 2, 12),
];

/// The workload of this name with 11 contexts, a run for each arm and step, in which malloc fell back
/// to these sizes. A step with many contexts took two seconds, the others one.
pub fn measured(name: &str, sizes: &[(u64, u64)]) -> (Workload, Vec<Results>) {
    let mut workloads = Workload::all(11).into_iter();
    let workload = workloads.find(|workload| workload.name == name);
    let workload = workload.expect("a known workload");
    let of = |step: &str| {
        let (_, control, hole) = RSS_MIB
            .into_iter()
            .find(|(name, ..)| *name == step)
            .unwrap();
        let seconds = if step == ONE { 1.0 } else { 2.0 };
        results([
            (CONTROL, run(control, seconds, &[])),
            (HOLE, run(hole, seconds, sizes)),
        ])
    };
    let results = workload.steps.iter().map(|step| of(step.name)).collect();
    (workload, results)
}

/// Their figures.
pub fn figures(name: &str, sizes: &[(u64, u64)]) -> WorkloadFigures {
    let (workload, results) = measured(name, sizes);
    WorkloadFigures::of(&workload, &results)
}

fn results(arms: [(&str, Run); 2]) -> Results {
    let arm = |(name, run): (&str, Run)| ArmResults {
        name: name.to_owned(),
        runs: vec![run],
        void_runs: Vec::new(),
    };
    Results {
        experiment: "compare".to_owned(),
        environment: Environment::here(),
        parameters: BTreeMap::new(),
        arms: arms.map(arm).into(),
        comparison: Vec::new(),
        findings: Vec::new(),
        notes: Vec::new(),
    }
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
