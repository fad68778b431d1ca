//! Experiments with any command: nothing in it knows that it is measured.

use super::error::{ExperimentError, RunError};
use super::observer::{Arm, RunObserver};
use super::plan::{Experiment, Progress};
use super::results::{Results, Run};
use super::run::{Watched, Weighed};
use super::session::StopFlag;
use super::whole_run::{self, CONDITION_FAILED, Condition, EXIT};
use std::collections::{BTreeMap, BTreeSet};

/// What notes that are made anew after each run begin with.
const ENDS_NOTE: &str = "the command ends otherwise in some runs";
const CONDITION_NOTE: &str = "the condition could not be made in some programs";

impl Experiment {
    /// [`run`](Self::run) for commands that mark no checkpoints. Arms that are in `conditions` by
    /// name have that condition made in each program; the others run as they are.
    ///
    /// The untraced half of a run is followed from exec to exec without a seccomp filter
    /// ([`Watch::Life`](memory_trace::Watch::Life)), so it runs at full speed but needs
    /// ptrace. It has one checkpoint, `end`: the launched process, weighed as it ended, its memory
    /// still there. What a program held before an exec replaced it isn't in it. The time is that of
    /// the launched process, without what weighing and conditions took; processes that outlive it
    /// are waited for before the next run begins.
    ///
    /// Facts of a run: `exit` (`code 0`, `signal 9`), `processes`, `greatest_peak_rss_bytes` (of
    /// any process of the tree), `condition_made` (number of programs), `condition_failed` and
    /// `not_weighed` (the reason) where that happened. A run in which the condition could be made
    /// in no program doesn't count. One whose command fails counts; a note says when the runs end
    /// differently.
    ///
    /// # Errors
    /// As for [`run`](Self::run), and when programs can't be traced here.
    pub fn run_commands(
        &self,
        conditions: &BTreeMap<String, Condition>,
        stop: &StopFlag,
        progress: &mut dyn FnMut(Progress<'_>),
        after_run: &mut dyn FnMut(&Results),
    ) -> Result<Results, ExperimentError> {
        let mut observer = WholeRuns { conditions, last_exit: None };
        self.run_with(&mut observer, stop, progress, after_run)
    }
}

struct WholeRuns<'a> {
    conditions: &'a BTreeMap<String, Condition>,
    /// Of the latest untraced process.
    last_exit: Option<String>,
}

impl WholeRuns<'_> {
    fn condition(&self, arm: &Arm) -> Option<Condition> {
        self.conditions.get(&arm.name).cloned()
    }
}

impl RunObserver for WholeRuns<'_> {
    fn untraced(
        &mut self,
        arm: &Arm,
        stop: &StopFlag,
        _progress: &mut dyn FnMut(u64, u64),
    ) -> Result<Weighed, RunError> {
        let weighed = whole_run::weigh(&arm.target, self.condition(arm), stop)?;
        self.last_exit = weighed.run.facts.get(EXIT).cloned();
        Ok(weighed)
    }

    fn traced(
        &mut self,
        arm: &Arm,
        stop: &StopFlag,
        _progress: &mut dyn FnMut(u64, u64),
    ) -> Result<Watched, RunError> {
        let (mut watched, exit) = whole_run::watch(&arm.target, self.condition(arm), stop)?;
        if let Some(untraced) = &self.last_exit
            && *untraced != exit
        {
            watched.notes.push(format!(
                "{}: the command ended with {untraced}, and with {exit} when its calls were counted",
                arm.name
            ));
        }
        Ok(watched)
    }

    fn look_over(&self, results: &mut Results) {
        let old = |note: &String| note.starts_with(ENDS_NOTE) || note.starts_with(CONDITION_NOTE);
        results.notes.retain(|note| !old(note));
        let notes: Vec<_> = [
            different(results, EXIT).map(|ends| format!("{ENDS_NOTE}: {ends}")),
            first_failure(results).map(|failure| format!("{CONDITION_NOTE}: {failure}")),
        ]
        .into_iter()
        .flatten()
        .collect();
        results.notes.extend(notes);
    }
}

/// What each arm's runs say under this key, if they don't all say the same.
fn different(results: &Results, key: &str) -> Option<String> {
    let said = |run: &Run| run.facts.get(key).cloned();
    let mut all = BTreeSet::new();
    let mut by_arm = Vec::new();
    for arm in &results.arms {
        let values: BTreeSet<_> = arm.runs.iter().filter_map(said).collect();
        if !values.is_empty() {
            let list: Vec<_> = values.iter().cloned().collect();
            by_arm.push(format!("{} with {}", arm.name, list.join(" or ")));
        }
        all.extend(values);
    }
    (all.len() > 1).then(|| by_arm.join(", "))
}

fn first_failure(results: &Results) -> Option<String> {
    results.arms.iter().find_map(|arm| {
        let mut failures = arm.runs.iter().filter_map(|run| run.facts.get(CONDITION_FAILED));
        Some(format!("{}: {}", arm.name, failures.next()?))
    })
}
