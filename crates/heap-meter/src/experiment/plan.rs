//! Arms, repeats, their order, and what happens between two runs.

use super::comparison::{Metric, compare};
use super::error::ExperimentError;
use super::observer::{Arm, AtCheckpoints, RunObserver, until_valid, watch};
use super::results::{ArmResults, Results, Run};
use super::run::Watched;
use super::session::StopFlag;
use crate::environment::Environment;
use std::collections::BTreeMap;

/// The same work in several arms.
#[derive(Debug)]
#[non_exhaustive]
pub struct Experiment {
    /// Its name.
    pub name: String,
    /// The control first.
    pub arms: Vec<Arm>,
    /// How often each arm is run.
    pub repeats: u32,
    /// What is compared.
    pub metrics: Vec<Metric>,
    /// The machine and the libraries.
    pub environment: Environment,
    /// What was asked for, for the report.
    pub parameters: BTreeMap<String, serde_json::Value>,
}

/// What the experiment does now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Progress<'a> {
    /// Name of the arm.
    pub arm: &'a str,
    /// Whether the present process is traced.
    pub traced: bool,
    /// Processes that have ended, of `processes`.
    pub processes_done: u64,
    /// Processes in all.
    pub processes: u64,
    /// How far the present process says it is, of `total`.
    pub done: u64,
    /// 0 before it has said anything.
    pub total: u64,
}

impl Experiment {
    /// One that runs each arm once, and compares nothing yet.
    pub fn new(name: impl Into<String>, arms: Vec<Arm>, environment: Environment) -> Self {
        Self {
            name: name.into(),
            arms,
            repeats: 1,
            metrics: Vec::new(),
            environment,
            parameters: BTreeMap::new(),
        }
    }

    /// Runs it. After every run `after_run` gets the results so far, complete with comparison.
    ///
    /// Where tracing isn't permitted the runs are timed and weighed all the same, and a note says
    /// that no system calls were counted, and why.
    ///
    /// # Errors
    /// See [`ExperimentError`]. What `after_run` was given until then is valid.
    pub fn run(
        &self,
        stop: &StopFlag,
        progress: &mut dyn FnMut(Progress<'_>),
        after_run: &mut dyn FnMut(&Results),
    ) -> Result<Results, ExperimentError> {
        self.run_with(&mut AtCheckpoints::default(), stop, progress, after_run)
    }

    /// [`run`](Self::run), with runs that are observed in a certain way.
    pub(super) fn run_with(
        &self,
        observer: &mut dyn RunObserver,
        stop: &StopFlag,
        progress: &mut dyn FnMut(Progress<'_>),
        after_run: &mut dyn FnMut(&Results),
    ) -> Result<Results, ExperimentError> {
        let arms = self.arms.iter().map(|arm| ArmResults::new(&arm.name));
        let (environment, parameters) = (self.environment.clone(), self.parameters.clone());
        let mut results = Results::new(&self.name, environment, parameters, arms.collect());
        let wanted = u64::from(self.repeats) * self.arms.len() as u64;
        let processes = 2 * wanted;
        let mut complete = 0;
        let mut processes_done = 0;
        let mut tracing_permitted = true;
        for repeat in 0..self.repeats {
            for index in order(self.arms.len(), repeat) {
                let arm = &self.arms[index];
                let found = &mut results.arms[index];
                let mut at = |traced, processes_done, done, total| {
                    progress(Progress {
                        arm: &arm.name,
                        traced,
                        processes_done,
                        processes,
                        done,
                        total,
                    });
                };
                at(false, processes_done, 0, 0);
                let interrupted = |error: ExperimentError| error.after(complete, wanted);
                let weighed = until_valid(&arm.name, Some(false), &mut found.void_runs, || {
                    let weighed = observer.untraced(arm, stop, &mut |done, total| {
                        at(false, processes_done, done, total);
                    });
                    let weighed = weighed.map_err(|error| ExperimentError::of(&arm.name, error))?;
                    Ok(match weighed.void {
                        Some(reason) => Err(reason),
                        None => Ok(weighed),
                    })
                })
                .map_err(interrupted)?;
                processes_done += 1;
                at(true, processes_done, 0, 0);
                let watched = if tracing_permitted {
                    watch(arm, found, &mut results.notes, || {
                        observer.traced(arm, stop, &mut |done, total| {
                            at(true, processes_done, done, total);
                        })
                    })
                    .map_err(interrupted)?
                } else {
                    None
                };
                tracing_permitted = watched.is_some();
                processes_done += 1;
                complete += 1;
                let notes: Vec<String> = unknown_mallocs(&weighed.run).collect();
                found.runs.push(joined(weighed.run, watched));
                notes.into_iter().for_each(|note| results.note(note));
                observer.look_over(&mut results);
                results.comparison = compare(&self.metrics, &results.arms);
                after_run(&results);
            }
        }
        Ok(results)
    }
}

/// Which arm comes when, by its index: forwards in one repeat, backwards in the next.
pub fn order(arms: usize, repeat: u32) -> Vec<usize> {
    let forwards = 0..arms;
    if repeat.is_multiple_of(2) { forwards.collect() } else { forwards.rev().collect() }
}

/// What was to be told of malloc, and isn't known.
fn unknown_mallocs(run: &Run) -> impl Iterator<Item = String> + '_ {
    run.checkpoints.iter().filter_map(|at| {
        let why = at.why_unknown()?;
        let label = &at.label;
        Some(format!("{label}: what malloc could give back isn't known: {why}"))
    })
}

/// Both weighings of a run.
fn joined(untraced: Run, watched: Option<Watched>) -> Run {
    match watched {
        None => untraced,
        Some(watched) => Run {
            syscalls: Some(watched.syscalls),
            break_moves: Some(watched.break_moves),
            fallback: Some(watched.fallback),
            traced: Some(watched.traced),
            ..untraced
        },
    }
}

#[cfg(test)]
mod tests {
    use super::order;

    #[test]
    fn arms_take_turns_in_going_first() {
        assert_eq!(order(3, 0), [0, 1, 2]);
        assert_eq!(order(3, 1), [2, 1, 0]);
        assert_eq!(order(3, 2), [0, 1, 2]);
    }
}
