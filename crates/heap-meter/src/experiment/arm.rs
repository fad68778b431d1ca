//! One variant of an experiment.

use memtrace::Target;

/// One variant of the experiment.
#[derive(Clone, Debug)]
pub struct Arm {
    /// Its name: `control`, `hole`, ….
    pub name: String,
    /// What to run for it.
    pub target: Target,
}
