//! The results as a table, as CSV and as a chart.

use super::case::LuaCase;
use super::results::{LowMemoryResults, LuaRun, lua_bytes, rows};
use crate::drive::Report;
use heap_meter::experiment::{ArmResults, Results};
use heap_meter::report::chart::{Curve, CurvePanel, curves};
use heap_meter::report::{experiment_table, rows_csv};
use serde::Serialize;

impl Report for LowMemoryResults {
    fn table(&self) -> String {
        let arm = |arm: &ArmResults<LuaRun>| ArmResults {
            name: arm.name.clone(),
            runs: arm.runs.iter().map(|run| run.run.clone()).collect(),
            void_runs: arm.void_runs.clone(),
        };
        let rows = self.comparison.iter();
        experiment_table(&Results {
            experiment: self.experiment.clone(),
            environment: self.environment.clone(),
            parameters: self.parameters.clone(),
            arms: self.arms.iter().map(arm).collect(),
            comparison: rows.map(|row| row.comparison.clone()).collect(),
            findings: self.findings.clone(),
            notes: self.notes.clone(),
        })
    }

    /// A row per checkpoint of each run.
    fn csv(&self) -> anyhow::Result<String> {
        let mut rows = Vec::new();
        for arm in &self.arms {
            for (number, run) in (1..).zip(&arm.runs) {
                rows.extend(csv_rows(&self.experiment, &arm.name, number, run));
            }
        }
        Ok(rows_csv(&rows)?)
    }

    fn chart(&self) -> Option<String> {
        chart(self)
    }
}

#[derive(Serialize)]
struct LowMemoryCsvRow<'a> {
    experiment: &'a str,
    arm: &'a str,
    run: usize,
    objects: &'a str,
    vm: &'a str,
    fill_bytes: u64,
    lua_bytes: u64,
    objects_held: u64,
    object_bytes: u64,
    ended: &'a str,
    aslr: &'a str,
    checkpoint: &'a str,
    worked_seconds: String,
    rss_bytes: u64,
    address_space_bytes: u64,
    heap_segment_bytes: u64,
}

fn csv_rows<'a>(
    experiment: &'a str,
    arm: &'a str,
    number: usize,
    run: &'a LuaRun,
) -> impl Iterator<Item = LowMemoryCsvRow<'a>> {
    run.run.checkpoints.iter().map(move |at| LowMemoryCsvRow {
        experiment,
        arm,
        run: number,
        objects: run.case.objects.name(),
        vm: run.case.vm.name(),
        fill_bytes: run.case.fill_bytes,
        lua_bytes: run.lua_bytes,
        objects_held: run.objects_held,
        object_bytes: run.object_bytes,
        ended: &run.ended,
        aslr: run.aslr.as_deref().unwrap_or_default(),
        checkpoint: &at.label,
        worked_seconds: at.worked_seconds.to_string(),
        rss_bytes: at.snapshot.rss_bytes,
        address_space_bytes: at.snapshot.address_space_bytes,
        heap_segment_bytes: at.snapshot.heap_segment_bytes,
    })
}

/// Lua's memory over C's: a panel for each kind of objects and each order, a curve for each arm.
/// `None` before both arms have a run of the same set-up.
fn chart(results: &LowMemoryResults) -> Option<String> {
    let mut panels: Vec<(LuaCase, CurvePanel)> = Vec::new();
    for (case, _) in rows(results) {
        let known = panels
            .iter()
            .position(|(known, _)| (known.objects, known.vm) == (case.objects, case.vm));
        let index = known.unwrap_or_else(|| {
            panels.push((case, empty(results, case)));
            panels.len() - 1
        });
        for (arm, curve) in results.arms.iter().zip(&mut panels[index].1.curves) {
            let measured = lua_bytes(arm, case).map(in_mib).collect();
            curve
                .points
                .push((in_mib(case.fill_bytes as f64), measured));
        }
    }
    let panels: Vec<CurvePanel> = panels.into_iter().map(|(_, panel)| panel).collect();
    curves(
        &panels,
        "low-memory: what Lua gets when C has taken some heap",
        "C heap (MiB)",
        "Lua objects (MiB)",
    )
}

fn empty(results: &LowMemoryResults, case: LuaCase) -> CurvePanel {
    let curve = |arm: &ArmResults<LuaRun>| Curve {
        name: arm.name.clone(),
        points: Vec::new(),
    };
    CurvePanel {
        title: format!(
            "{}, VM made {} the heap",
            case.objects.name(),
            case.vm.name()
        ),
        curves: results.arms.iter().map(curve).collect(),
    }
}

fn in_mib(bytes: f64) -> f64 {
    bytes / f64::from(1 << 20)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_recorded_runs_are_printed_as_they_were() {
        for (json, printed) in [
            (
                include_str!("../../../runs/low-memory.json"),
                include_str!("../../../runs/low-memory.txt"),
            ),
            (
                include_str!("../../../runs/low-memory-gc64.json"),
                include_str!("../../../runs/low-memory-gc64.txt"),
            ),
        ] {
            let results: LowMemoryResults = serde_json::from_str(json).unwrap();
            // Lines may have been broken elsewhere then.
            let words = |text: &str| {
                text.split_whitespace()
                    .map(str::to_owned)
                    .collect::<Vec<_>>()
            };
            assert_eq!(words(&results.table()), words(printed));
        }
    }

    #[test]
    fn the_recorded_runs_are_drawn_as_they_were() {
        let json = include_str!("../../../runs/low-memory.json");
        let results: LowMemoryResults = serde_json::from_str(json).unwrap();
        let drawn = include_str!("../../../runs/low-memory.svg");
        assert!(results.chart().is_some_and(|chart| chart == drawn));
    }
}
