//! What was found, in the shape of its JSON.

use super::flags::LuaCase;
use super::work::{REACHED, told};
use anyhow::Context;
use heap_meter::experiment::{
    ArmResults, Comparison, Metric, Results, Run, Unit, Weighed, compare,
};
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
        let facts = &mut weighed.run.facts;
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
            run: weighed.run,
        })
    }

    /// Whether it ended at `--most`, and Lua had memory left.
    pub(super) fn reached_most(&self) -> bool {
        self.ended == REACHED
    }
}
