//! What was found, in the shape of its JSON; as a table, as CSV and as a chart.

use super::flags::LuaCase;
use super::judge::answer;
use super::work::{REACHED, told};
use crate::child::word;
use crate::output::Report;
use anyhow::Context;
use heap_meter::environment::Environment;
use heap_meter::experiment::{
    ArmResults, Comparison, Metric, Results, Run, Unit, Weighed, compare,
};
use heap_meter::report::chart::{Curve, CurvePanel, curves};
use heap_meter::report::{CsvRow, Part, Sections, experiment_table, rows_csv};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Everything that is known after some of the runs, or all of them: the control, and the hole.
pub(super) type LowMemoryResults = Results<ArmResults<LuaRun>, CaseRow>;

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct LuaRun {
    #[serde(flatten)]
    pub(super) case: LuaCase,
    /// Bytes of all Lua objects at the end, by Lua's own count.
    pub(super) lua_bytes: u64,
    /// Objects that were made, all of them held.
    pub(super) objects_held: u64,
    /// Bytes of one of them.
    pub(super) object_bytes: u64,
    /// `not enough memory`, or `reached`: `--most` was.
    pub(super) ended: String,
    /// Whether addresses were randomised, as the child found it.
    pub(super) aslr: Option<String>,
    #[serde(flatten)]
    pub(super) run: Run,
}

/// A set-up in both arms: medians, and between what the runs lay.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct CaseRow {
    #[serde(flatten)]
    pub(super) comparison: Comparison,
    pub(super) control_range: [f64; 2],
    pub(super) hole_range: [f64; 2],
}

/// Compares the arms, case by case.
pub(super) fn compared(arms: &[ArmResults<LuaRun>], cases: &[LuaCase]) -> Vec<CaseRow> {
    let row = |case: &LuaCase| {
        let case = *case;
        let title = format!("Lua: {case}");
        let metric = Metric::of(&case.metric(), &title, Unit::Bytes, move |run: &LuaRun| {
            (run.case == case).then_some(run.lua_bytes as f64)
        });
        let range = |arm| {
            let values = metric.values(arm);
            let least = values.iter().copied().min_by(f64::total_cmp)?;
            Some([least, values.iter().copied().max_by(f64::total_cmp)?])
        };
        Some(CaseRow {
            control_range: range(arms.first()?)?,
            hole_range: range(arms.get(1)?)?,
            comparison: compare(&[metric], arms).pop()?,
        })
    };
    cases.iter().filter_map(row).collect()
}

/// The rows, and the set-up of each.
pub(super) fn rows(results: &LowMemoryResults) -> impl Iterator<Item = (LuaCase, &CaseRow)> {
    results.comparison.iter().filter_map(|row| {
        let mut cases = runs(results).map(|run| run.case);
        let case = cases.find(|case| case.metric() == row.comparison.metric)?;
        Some((case, row))
    })
}

/// Bytes of Lua objects in each run of this case.
pub(super) fn lua_bytes(arm: &ArmResults<LuaRun>, case: LuaCase) -> impl Iterator<Item = f64> {
    let runs = arm.runs.iter().filter(move |run| run.case == case);
    runs.map(|run| run.lua_bytes as f64)
}

pub(super) fn runs(results: &LowMemoryResults) -> impl Iterator<Item = &LuaRun> {
    results.arms.iter().flat_map(|arm| &arm.runs)
}

impl LuaRun {
    /// From what the child told.
    pub(super) fn new(case: LuaCase, mut weighed: Weighed) -> anyhow::Result<Self> {
        let facts = &mut weighed.facts;
        let number = |facts: &mut BTreeMap<String, String>, name| {
            let told =
                facts.remove(name).with_context(|| format!("the child didn't tell {name}"))?;
            told.parse::<u64>().with_context(|| format!("the child told {name} as {told:?}"))
        };
        Ok(Self {
            case,
            lua_bytes: number(facts, told::LUA_BYTES)?,
            objects_held: number(facts, told::OBJECTS_HELD)?,
            object_bytes: number(facts, told::OBJECT_BYTES)?,
            ended: (facts.remove(told::ENDED)).context("the child didn't tell how it ended")?,
            aslr: facts.remove(told::ASLR),
            run: Run::untraced(weighed),
        })
    }

    /// Whether it ended at `--most`, and Lua had memory left.
    pub(super) fn reached_most(&self) -> bool {
        self.ended == REACHED
    }
}

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
