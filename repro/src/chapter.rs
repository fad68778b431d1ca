//! What a binary of the story has to say for itself.

use crate::{Child, arm};
use heap_diagnosis::Finding;
use heap_meter::experiment::{Metric, Results};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::Path;

/// One chapter: its flags, what its children do, what is compared, what follows.
pub trait Chapter: clap::Args {
    /// Name of the experiment, and of the binary.
    const NAME: &'static str;
    /// The arms, the one first that the others are compared with.
    const ARMS: &'static [&'static str] = &[arm::CONTROL, arm::HOLE];
    /// What it is, for `--help`.
    const ABOUT: &'static str;
    /// Examples for `--help`.
    const EXAMPLES: &'static str;

    /// The bundle it loads, if it loads one: `--bundle`, or `None` for the machine's.
    fn bundle(&self) -> Option<Option<&Path>>;

    /// What was asked for, for the report.
    fn parameters(&self) -> BTreeMap<String, serde_json::Value>;

    /// Arguments from which [`work`](Self::work) in the child knows what to do.
    fn child_arguments(&self, bundle: Option<&Path>) -> Vec<OsString>;

    /// The child's work.
    ///
    /// # Errors
    ///
    /// Whatever keeps it from being done; the child ends with status 1 then.
    fn work(arguments: &[OsString], child: &Child) -> anyhow::Result<()>;

    /// What is compared between the arms.
    fn metrics(&self) -> Vec<Metric>;

    /// What follows from the figures of this run.
    fn findings(&self, results: &Results) -> Vec<Finding>;
}
