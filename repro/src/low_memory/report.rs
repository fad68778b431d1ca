//! The results as CSV and as a chart.

use super::case::Case;
use super::results::{Arm, LuaRun, Results};
use heap_meter::experiment::Checkpoint;
use heap_meter::report::chart::{Curve, CurvePanel, curves};
use std::fmt::Write;

const HEADER: &str = "experiment,arm,run,objects,vm,fill_bytes,lua_bytes,objects_held,object_bytes,\
                      ended,aslr,checkpoint,worked_seconds,rss_bytes,address_space_bytes,\
                      heap_segment_bytes\n";

/// A row per checkpoint of each run. Nothing in it needs quotation marks: numbers, and words of ours.
pub(super) fn csv(results: &Results) -> String {
    let mut text = HEADER.to_owned();
    for arm in &results.arms {
        for (index, run) in arm.runs.iter().enumerate() {
            for checkpoint in &run.run.checkpoints {
                text.push_str(&row(results.experiment, arm, index + 1, run, checkpoint));
            }
        }
    }
    text
}

fn row(experiment: &str, arm: &Arm, number: usize, run: &LuaRun, at: &Checkpoint) -> String {
    let mut text = format!("{experiment},{},{number},", arm.name);
    // Writing into a String never fails.
    let _ = write!(
        text,
        "{},{},{},{},{},{},{},{},",
        run.case.objects.name(),
        run.case.vm.name(),
        run.case.fill_bytes,
        run.lua_bytes,
        run.objects_held,
        run.object_bytes,
        run.ended,
        run.aslr.as_deref().unwrap_or_default()
    );
    let _ = writeln!(
        text,
        "{},{},{},{},{}",
        at.label,
        at.worked_seconds,
        at.snapshot.rss_bytes,
        at.snapshot.address_space_bytes,
        at.snapshot.heap_segment_bytes
    );
    text
}

/// Lua's memory over C's: a panel for each kind of objects and each order, a curve for each arm.
/// `None` before both arms have a run of the same set-up.
pub(super) fn chart(results: &Results) -> Option<String> {
    let mut panels: Vec<(Case, CurvePanel)> = Vec::new();
    for row in &results.comparison {
        let case = row.case;
        let known = panels
            .iter()
            .position(|(known, _)| (known.objects, known.vm) == (case.objects, case.vm));
        let index = known.unwrap_or_else(|| {
            panels.push((case, empty(results, case)));
            panels.len() - 1
        });
        for (arm, curve) in results.arms.iter().zip(&mut panels[index].1.curves) {
            let measured = arm.lua_bytes(case).map(in_mib).collect();
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

fn empty(results: &Results, case: Case) -> CurvePanel {
    let curve = |arm: &Arm| Curve {
        name: arm.name.to_owned(),
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
