//! Why an experiment has no complete result.

use super::arm::Arm;
use super::run_error::RunError;

/// Why an experiment has no complete result.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExperimentError {
    /// A run failed.
    #[error("{arm}: {error}")]
    Run {
        /// The arm it belonged to.
        arm: String,
        /// Why.
        #[source]
        error: RunError,
    },
    /// The condition of an arm couldn't be made.
    #[error("{arm}: not one of {attempts} runs counts: {reason}")]
    Void {
        /// The arm.
        arm: String,
        /// How often it was tried.
        attempts: u32,
        /// The program's words at the last attempt.
        reason: String,
    },
    /// Somebody asked to stop.
    #[error("interrupted after {done} of {wanted} runs")]
    Interrupted {
        /// Complete runs.
        done: u64,
        /// Runs that were asked for.
        wanted: u64,
    },
}

impl ExperimentError {
    /// Says how far the experiment was when somebody asked to stop.
    pub(super) fn after(self, complete: u64, wanted_runs: u64) -> Self {
        match self {
            Self::Interrupted { .. } => Self::Interrupted {
                done: complete,
                wanted: wanted_runs,
            },
            other => other,
        }
    }

    pub(super) fn of(arm: &Arm, error: RunError) -> Self {
        match error {
            RunError::Interrupted => Self::Interrupted { done: 0, wanted: 0 },
            error => Self::Run {
                arm: arm.name.clone(),
                error,
            },
        }
    }
}
