//! Why a run has no result.

use memory_event::Ending;
use memtrace::LaunchError;
use procmem::ProcessError;
use std::io;

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

impl std::fmt::Display for EndingText {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            Ending::Code(code) => write!(f, "ended with status {code}, 0 was expected"),
            Ending::Signal { signal, .. } => write!(f, "was ended by signal {signal}"),
        }
    }
}
