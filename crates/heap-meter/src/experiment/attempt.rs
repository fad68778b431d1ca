//! One half of a run, tried until it counts.

use super::arm::Arm;
use super::error::ExperimentError;
use super::results::{ArmResults, VoidRun};
use super::run::Watched;
use super::run_error::RunError;
use memtrace::LaunchError;

/// How often a run is tried whose condition couldn't be made before its arm is given up. A program
/// can see that at its start, so a void run costs little; and where chance decides (where address
/// randomisation puts the break), half of the runs may be void.
const ATTEMPTS: u32 = 20;

/// Runs `observe` until a run counts; what it says of those that don't is kept in `void_runs`.
/// `traced` is that of [`VoidRun`].
///
/// # Errors
///
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
    let error = ExperimentError::Void {
        arm: name.to_owned(),
        attempts: ATTEMPTS,
        reason: last_reason,
    };
    Err(error.into())
}

/// The traced half of a run; `None`, and a note, where tracing isn't permitted.
pub(super) fn watch(
    arm: &Arm,
    found: &mut ArmResults,
    notes: &mut Vec<String>,
    mut observe: impl FnMut() -> Result<Watched, RunError>,
) -> Result<Option<Watched>, ExperimentError> {
    let watched = until_valid(
        &arm.name,
        Some(true),
        &mut found.void_runs,
        || match observe().map_err(|error| ExperimentError::of(arm, error))? {
            Watched {
                void: Some(reason), ..
            } => Ok(Err(reason)),
            watched => Ok(Ok(watched)),
        },
    );
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
