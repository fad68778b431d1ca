//! One half of a run, tried until it counts.

use super::error::ExperimentError;
use super::plan::Arm;
use super::results::{ArmResults, VoidRun};
use super::run::{Watched, Weighed};
use super::run_error::RunError;
use crate::source::launch::LaunchError;

/// How often a run is tried whose condition couldn't be made before its arm is given up. A program
/// can see that at its start, so a void run costs little; and where chance decides (where address
/// randomisation puts the break), half of the runs may be void.
const ATTEMPTS: u32 = 20;

/// Runs `observe` until the run counts, and writes down those that don't.
pub(super) fn until_valid<T: MayBeVoid>(
    arm: &Arm,
    found: &mut ArmResults,
    traced: bool,
    mut observe: impl FnMut() -> Result<T, RunError>,
) -> Result<T, ExperimentError> {
    let mut last_reason = String::new();
    for _ in 0..ATTEMPTS {
        let observed = observe().map_err(|error| ExperimentError::of(arm, error))?;
        match observed.void_reason() {
            None => return Ok(observed),
            Some(reason) => {
                last_reason = reason.to_owned();
                found.void_runs.push(VoidRun {
                    reason: last_reason.clone(),
                    traced,
                });
            }
        }
    }
    Err(ExperimentError::Void {
        arm: arm.name.clone(),
        attempts: ATTEMPTS,
        reason: last_reason,
    })
}

/// The traced half of a run; `None`, and a note, where tracing isn't permitted.
pub(super) fn watch(
    arm: &Arm,
    found: &mut ArmResults,
    notes: &mut Vec<String>,
    observe: impl FnMut() -> Result<Watched, RunError>,
) -> Result<Option<Watched>, ExperimentError> {
    match until_valid(arm, found, true, observe) {
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

/// What a run yields, and whether its program said that it doesn't count.
pub(super) trait MayBeVoid {
    fn void_reason(&self) -> Option<&str>;
}

impl MayBeVoid for Weighed {
    fn void_reason(&self) -> Option<&str> {
        self.void.as_deref()
    }
}

impl MayBeVoid for Watched {
    fn void_reason(&self) -> Option<&str> {
        self.void.as_deref()
    }
}
