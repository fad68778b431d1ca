//! What was found, in the shape of its JSON.

use super::case::Case;
use super::work::told;
use crate::arm::{CONTROL, HOLE};
use anyhow::Context;
use heap_meter::environment::Environment;
use heap_meter::experiment::{
    ArmResults, Comparison, Metric, Run, Unit, VoidRun, Weighed, compare,
};
use heap_meter::finding::Finding;
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeMap;

/// Everything that is known after some of the runs, or all of them.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Results {
    pub(super) experiment: &'static str,
    pub(super) environment: Environment,
    pub(super) parameters: BTreeMap<String, Value>,
    /// The control, and the hole.
    pub(super) arms: [Arm; 2],
    pub(super) comparison: Vec<Row>,
    pub(super) findings: Vec<Finding>,
    pub(super) notes: Vec<String>,
}

/// The runs of one arm.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Arm {
    pub(super) name: &'static str,
    pub(super) runs: Vec<LuaRun>,
    pub(super) void_runs: Vec<VoidRun>,
}

/// One run.
#[derive(Clone, Debug, Serialize)]
pub(super) struct LuaRun {
    #[serde(flatten)]
    pub(super) case: Case,
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
#[derive(Clone, Debug, Serialize)]
pub(super) struct Row {
    #[serde(skip)]
    pub(super) case: Case,
    #[serde(flatten)]
    pub(super) comparison: Comparison,
    pub(super) control_range: [f64; 2],
    pub(super) hole_range: [f64; 2],
}

impl Results {
    pub(super) fn new(environment: Environment, parameters: BTreeMap<String, Value>) -> Self {
        let arm = |name| Arm {
            name,
            runs: Vec::new(),
            void_runs: Vec::new(),
        };
        Self {
            experiment: super::NAME,
            environment,
            parameters,
            arms: [arm(CONTROL), arm(HOLE)],
            comparison: Vec::new(),
            findings: Vec::new(),
            notes: Vec::new(),
        }
    }

    /// The runs of both arms.
    pub(super) fn runs(&self) -> impl Iterator<Item = &LuaRun> {
        self.arms.iter().flat_map(|arm| &arm.runs)
    }

    /// Compares the arms anew, case by case.
    pub(super) fn compare(&mut self, cases: &[Case]) {
        self.comparison = cases.iter().filter_map(|case| self.row(*case)).collect();
    }

    fn row(&self, case: Case) -> Option<Row> {
        let lua_bytes = |run: &Run| run.facts.get(told::LUA_BYTES)?.parse().ok();
        let title = format!("Lua: {case}");
        let metric = Metric::new(&case.metric(), &title, Unit::Bytes, lua_bytes);
        let arms = self.arms.each_ref().map(|arm| arm.of(case));
        let [control_range, hole_range] = self.arms.each_ref().map(|arm| arm.range(case));
        Some(Row {
            case,
            comparison: compare(&[metric], &arms).pop()?,
            control_range: control_range?,
            hole_range: hole_range?,
        })
    }
}

impl Arm {
    /// Bytes of Lua objects in each run of this case.
    pub(super) fn lua_bytes(&self, case: Case) -> impl Iterator<Item = f64> {
        let runs = self.runs.iter().filter(move |run| run.case == case);
        runs.map(|run| run.lua_bytes as f64)
    }

    fn range(&self, case: Case) -> Option<[f64; 2]> {
        let least = self.lua_bytes(case).min_by(f64::total_cmp)?;
        let most = self.lua_bytes(case).max_by(f64::total_cmp)?;
        Some([least, most])
    }

    fn of(&self, case: Case) -> ArmResults {
        let runs = self.runs.iter().filter(|run| run.case == case);
        ArmResults {
            name: self.name.to_owned(),
            runs: runs.map(LuaRun::with_facts).collect(),
            void_runs: Vec::new(),
        }
    }
}

impl LuaRun {
    /// From what the child told.
    pub(super) fn new(case: Case, weighed: Weighed) -> anyhow::Result<Self> {
        let mut facts = weighed.facts;
        let number = |facts: &mut BTreeMap<String, String>, name| {
            let told = facts
                .remove(name)
                .with_context(|| format!("the child didn't tell {name}"))?;
            told.parse::<u64>()
                .with_context(|| format!("the child told {name} as {told:?}"))
        };
        Ok(Self {
            case,
            lua_bytes: number(&mut facts, told::LUA_BYTES)?,
            objects_held: number(&mut facts, told::OBJECTS_HELD)?,
            object_bytes: number(&mut facts, told::OBJECT_BYTES)?,
            ended: facts
                .remove(told::ENDED)
                .context("the child didn't tell how it ended")?,
            aslr: facts.remove(told::ASLR),
            run: Run {
                wall_seconds: weighed.wall_seconds,
                checkpoints: weighed.checkpoints,
                weighing_seconds: weighed.weighing_seconds,
                facts,
                syscalls: None,
                break_moves: None,
                fallback: None,
                traced: None,
            },
        })
    }

    /// Whether it ended at `--most`, and Lua had memory left.
    pub(super) fn reached_most(&self) -> bool {
        self.ended == super::work::REACHED
    }

    /// The run as any experiment has it, for what works with those.
    fn with_facts(&self) -> Run {
        let mut run = self.run.clone();
        let lua_bytes = self.lua_bytes.to_string();
        run.facts.insert(told::LUA_BYTES.to_owned(), lua_bytes);
        run
    }
}

/// The same as any experiment has it, for its table.
impl From<&Results> for heap_meter::experiment::Results {
    fn from(results: &Results) -> Self {
        let arm = |arm: &Arm| ArmResults {
            name: arm.name.to_owned(),
            runs: arm.runs.iter().map(LuaRun::with_facts).collect(),
            void_runs: arm.void_runs.clone(),
        };
        let rows = results.comparison.iter();
        Self {
            experiment: results.experiment.to_owned(),
            environment: results.environment.clone(),
            parameters: results.parameters.clone(),
            arms: results.arms.iter().map(arm).collect(),
            comparison: rows.map(|row| row.comparison.clone()).collect(),
            findings: results.findings.clone(),
            notes: results.notes.clone(),
        }
    }
}
