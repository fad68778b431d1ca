//! Experiments: the same work in several *arms*, each run in a fresh process, weighed by its parent.
//!
//! An arm is run `repeats` times, and each time twice: once untraced, for the time and the memory,
//! and once traced, for the system calls. Arms take turns, and the order turns too, so that a
//! machine that grows slower or warmer meets all of them alike.
//!
//! The program marks its *checkpoints* with [`Checkpoints`]; there it waits until its parent has
//! weighed it, which costs the program's own heap nothing. Weighing isn't part of the time.
//!
//! A program that knows nothing of checkpoints is weighed as it ends, and an arm's [`Condition`] is
//! made in it from outside, before its first instruction: [`Experiment::run_commands`].

mod checkpoint;
mod commands;
mod comparison;
mod error;
pub mod metrics;
mod observer;
mod plan;
mod protocol;
mod results;
mod run;
mod session;
mod store;
mod whole_run;

pub use checkpoint::Checkpoints;
pub use comparison::{Metric, compare};
pub use error::{EndingText, ExperimentError, RunError};
pub use observer::{Arm, until_valid};
pub use plan::{Experiment, Progress, order};
pub use results::{ArmResults, Checkpoint, Comparison, Results, Run, Traced, Unit, VoidRun};
pub use run::{Ended, Look, Watched, Weighed, observe_to_end, observe_traced, observe_untraced};
pub use session::StopFlag;
pub use store::{Store, StoreError};
pub use whole_run::Condition;
