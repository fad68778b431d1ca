//! Why a run has no result, or an experiment no complete one.

use memory_event::Ending;
use memory_trace::LaunchError;
use proc_memory::ProcessError;
use std::fmt;
use std::io;

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
    pub(super) fn after(self, done: u64, wanted: u64) -> Self {
        match self {
            Self::Interrupted { .. } => Self::Interrupted { done, wanted },
            other => other,
        }
    }

    pub(super) fn of(arm: &str, error: RunError) -> Self {
        match error {
            RunError::Interrupted => Self::Interrupted { done: 0, wanted: 0 },
            error => Self::Run { arm: arm.to_owned(), error },
        }
    }
}

/// Why a run has no result.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// Somebody asked to stop; the process was ended.
    #[error("interrupted")]
    Interrupted,
    /// The program couldn't be started.
    #[error("can't start {program}: {error}")]
    Start {
        /// The program as it was given.
        program: String,
        /// Why.
        error: io::Error,
    },
    /// It couldn't be traced.
    #[error(transparent)]
    Launch(#[from] LaunchError),
    /// It couldn't be weighed.
    #[error(transparent)]
    Weigh(#[from] ProcessError),
    /// It isn't to go on from a checkpoint, for the caller's own reason.
    #[error(transparent)]
    Stopped(Box<dyn std::error::Error + Send + Sync>),
    /// It ended otherwise than with status 0.
    #[error("{program} {ending}")]
    Failed {
        /// The program as it was given.
        program: String,
        /// How it ended.
        ending: EndingText,
    },
    /// The socket to the process failed.
    #[error("lost the connection to the measured process: {0}")]
    Socket(#[from] io::Error),
}

/// An [`Ending`] in words.
#[derive(Debug)]
pub struct EndingText(pub Ending);

impl fmt::Display for EndingText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Ending::Code(code) => write!(f, "ended with status {code}, 0 was expected"),
            Ending::Signal { signal, .. } => write!(f, "was ended by signal {signal}"),
        }
    }
}
