//! What a binary of the story has to say for itself, and its command line.

use crate::arm;
use crate::child::Child;
use clap::{CommandFactory, FromArgMatches, Parser, ValueEnum};
use heap_diagnosis::Finding;
use heap_meter::experiment::{Metric, Results};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

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

/// A chapter's whole command line.
#[derive(Debug, Parser)]
pub(crate) struct ChapterCli<C: Chapter> {
    #[command(flatten)]
    pub(crate) chapter: C,

    /// How often each arm is run; an interval needs at least 3
    #[arg(long, value_name = "R", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) repeats: u32,

    /// Write a chart of memory over the checkpoints
    #[arg(long, value_name = "FILE.svg")]
    pub(crate) chart: Option<PathBuf>,

    /// How results are printed on standard output
    #[arg(long, value_enum, default_value_t = ReportFormat::Table)]
    pub(crate) format: ReportFormat,

    /// Keep the raw results and the chart in this directory; written after every run
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
}

/// How results are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ReportFormat {
    /// For people
    Table,
    /// Everything, for programs
    Json,
    /// Rows of figures, for spreadsheets
    Csv,
}

impl<C: Chapter> ChapterCli<C> {
    /// Reads the command line; ends the process for `--help` (status 0) and bad usage (status 2).
    pub(crate) fn from_command_line() -> Self {
        let matches = Self::command()
            .name(C::NAME)
            .version(env!("CARGO_PKG_VERSION"))
            .about(C::ABOUT)
            .after_help(C::EXAMPLES)
            .get_matches();
        Self::from_arg_matches(&matches).unwrap_or_else(|error| error.exit())
    }
}
