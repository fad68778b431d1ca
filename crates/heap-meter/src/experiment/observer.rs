//! How the two halves of a run are observed.

use super::arm::Arm;
use super::results::Results;
use super::run::{Watched, Weighed, observe_traced, untraced};
use super::run_error::RunError;
use super::stop::StopFlag;
use ptmalloc::Examiner;

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
