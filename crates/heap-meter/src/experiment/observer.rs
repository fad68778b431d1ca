//! A variant of an experiment, and how the two halves of its runs are observed: each is tried until
//! it counts.

use super::error::{ExperimentError, RunError};
use super::results::{ArmResults, Results, VoidRun};
use super::run::{Watched, Weighed, observe_traced, untraced};
use super::session::StopFlag;
use memory_trace::{LaunchError, Target};
use ptmalloc::Examiner;

/// One variant of the experiment.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Arm {
    /// Its name: `control`, `hole`, ….
    pub name: String,
    /// What to run for it.
    pub target: Target,
}

impl Arm {
    /// An arm of this name that runs this.
    pub fn new(name: impl Into<String>, target: Target) -> Self {
        let name = name.into();
        Self { name, target }
    }
}

/// Runs one process of an arm, in either of two ways.
pub(super) trait RunObserver {
    /// For time and memory.
    fn untraced(
        &mut self,
        arm: &Arm,
        stop: &StopFlag,
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<Weighed, RunError>;

    /// For system calls.
    fn traced(
        &mut self,
        arm: &Arm,
        stop: &StopFlag,
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<Watched, RunError>;

    /// Looks at the results after each run, for what only several runs show.
    fn look_over(&self, _results: &mut Results) {}
}

/// The programs mark checkpoints and are weighed there.
#[derive(Default)]
pub(super) struct AtCheckpoints {
    /// The same for all runs: what it learns of a program file, once, is true of the next run.
    examiner: Examiner,
}

impl RunObserver for AtCheckpoints {
    fn untraced(
        &mut self,
        arm: &Arm,
        stop: &StopFlag,
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<Weighed, RunError> {
        untraced(&mut self.examiner, &arm.target, stop, progress)
    }

    fn traced(
        &mut self,
        arm: &Arm,
        stop: &StopFlag,
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<Watched, RunError> {
        observe_traced(&arm.target, stop, progress)
    }
}

/// How often a run is tried whose condition couldn't be made before its arm is given up. A program
/// can see that at its start, so a void run costs little; and where chance decides (where address
/// randomisation puts the break), half of the runs may be void.
const ATTEMPTS: u32 = 20;

/// Runs `observe` until a run counts; what it says of those that don't is kept in `void_runs`.
/// `traced` is that of [`VoidRun`].
///
/// # Errors
/// The first one of `observe`; [`ExperimentError::Void`] of this name when twenty runs don't count.
pub fn until_valid<T, E: From<ExperimentError>>(
    name: &str,
    traced: Option<bool>,
    void_runs: &mut Vec<VoidRun>,
    mut observe: impl FnMut() -> Result<Result<T, String>, E>,
) -> Result<T, E> {
    let mut last_reason = String::new();
    for _ in 0..ATTEMPTS {
        match observe()? {
            Ok(observed) => return Ok(observed),
            Err(reason) => {
                last_reason.clone_from(&reason);
                void_runs.push(VoidRun { reason, traced });
            }
        }
    }
    let error =
        ExperimentError::Void { arm: name.to_owned(), attempts: ATTEMPTS, reason: last_reason };
    Err(error.into())
}

/// The traced half of a run; `None`, and a note, where tracing isn't permitted.
pub(super) fn watch(
    arm: &Arm,
    found: &mut ArmResults,
    notes: &mut Vec<String>,
    mut observe: impl FnMut() -> Result<Watched, RunError>,
) -> Result<Option<Watched>, ExperimentError> {
    let watched = until_valid(&arm.name, Some(true), &mut found.void_runs, || {
        let watched = observe().map_err(|error| ExperimentError::of(&arm.name, error))?;
        Ok(match watched.void {
            Some(reason) => Err(reason),
            None => Ok(watched),
        })
    });
    match watched {
        Ok(watched) => {
            for note in &watched.notes {
                if !notes.contains(note) {
                    notes.push(note.clone());
                }
            }
            Ok(Some(watched))
        }
        Err(ExperimentError::Run {
            error: RunError::Launch(error @ LaunchError::Refused { .. }),
            ..
        }) => {
            notes.push(format!("system calls were not counted: {error}"));
            Ok(None)
        }
        Err(error) => Err(error),
    }
}
