//! The results as a table, as CSV and as a chart.

use super::flags::LuaCase;
use super::judge::answer;
use super::results::{LowMemoryResults, LuaRun, lua_bytes, rows};
use crate::child::word;
use crate::output::Report;
use heap_meter::environment::Environment;
use heap_meter::experiment::{ArmResults, Results};
use heap_meter::report::chart::{Curve, CurvePanel, curves};
use heap_meter::report::{CsvRow, Part, Sections, experiment_table, rows_csv};

impl Report for LowMemoryResults {
    fn table(&self) -> Sections {
        let plain = |arm: &ArmResults<LuaRun>| {
            let mut plain = ArmResults::new(&arm.name);
            plain.runs = arm.runs.iter().map(|run| run.run.clone()).collect();
            plain.void_runs.clone_from(&arm.void_runs);
            plain
        };
        let arms = self.arms.iter().map(plain).collect();
        let (environment, parameters) = (self.environment.clone(), self.parameters.clone());
        let mut results = Results::new(&self.experiment, environment, parameters, arms);
        let rows = self.comparison.iter();
        results.comparison = rows.map(|row| row.comparison.clone()).collect();
        results.findings.clone_from(&self.findings);
        results.notes.clone_from(&self.notes);
        let mut sections = experiment_table(&results);
        sections.0[0].splice(..0, answer(self).map(Part::Heading));
        sections
    }

    /// A row per checkpoint of each run.
    fn csv(&self) -> anyhow::Result<String> {
        let mut rows = Vec::new();
        for arm in &self.arms {
            for (number, run) in (1_usize..).zip(&arm.runs) {
                rows.extend(run.run.checkpoints.iter().map(|at| {
                    CsvRow::new()
                        .field("experiment", &*self.experiment)
                        .field("arm", &*arm.name)
                        .field("run", number)
                        .field("objects", word(&run.case.objects))
                        .field("vm", word(&run.case.vm))
                        .field("fill_bytes", run.case.fill_bytes)
                        .field("lua_bytes", run.lua_bytes)
                        .field("objects_held", run.objects_held)
                        .field("object_bytes", run.object_bytes)
                        .field("ended", &*run.ended)
                        .field("aslr", run.aslr.as_deref())
                        .field("checkpoint", &*at.label)
                        .field("worked_seconds", at.worked_seconds.to_string())
                        .field("rss_bytes", at.snapshot.rss_bytes)
                        .field("address_space_bytes", at.snapshot.address_space_bytes)
                        .field("heap_segment_bytes", at.snapshot.heap_segment_bytes)
                }));
            }
        }
        Ok(rows_csv(rows)?)
    }

    /// Lua's memory over C's: a panel for each kind of objects and each order, a curve for each arm.
    /// `None` before both arms have a run of the same set-up.
    fn chart(&self) -> Option<String> {
        let mut panels: Vec<(LuaCase, CurvePanel)> = Vec::new();
        for (case, _) in rows(self) {
            let known = panels.iter().position(|(known, _)| known.is_like(&case));
            let index = known.unwrap_or_else(|| {
                let title = format!("{}, VM made {} the heap", word(&case.objects), word(&case.vm));
                let curves = self.arms.iter().map(|arm| Curve::new(&*arm.name));
                panels.push((case, CurvePanel::new(title, curves.collect())));
                panels.len() - 1
            });
            for (arm, curve) in self.arms.iter().zip(&mut panels[index].1.curves) {
                let measured = lua_bytes(arm, case).map(in_mib).collect();
                curve.points.push((in_mib(case.fill_bytes as f64), measured));
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

    fn environment(&self) -> &Environment {
        &self.environment
    }
}

fn in_mib(bytes: f64) -> f64 {
    bytes / f64::from(1 << 20)
}

#[cfg(test)]
mod tests {
    use super::*;
    use heap_meter::report::{COLUMNS, fit};

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
            assert_eq!(fit(&results.table().to_string(), COLUMNS), printed);
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
