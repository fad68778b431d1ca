//! The flags that all chapters share.

use crate::Chapter;
use clap::{CommandFactory, FromArgMatches, Parser, ValueEnum};
use std::path::PathBuf;

/// A chapter's whole command line.
#[derive(Debug, Parser)]
pub(crate) struct Cli<C: Chapter> {
    #[command(flatten)]
    pub(crate) chapter: C,

    /// How often each arm is run; an interval needs at least 3
    #[arg(long, value_name = "R", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) repeats: u32,

    /// Write a chart of memory over the checkpoints
    #[arg(long, value_name = "FILE.svg")]
    pub(crate) chart: Option<PathBuf>,

    /// How results are printed on standard output
    #[arg(long, value_enum, default_value_t = Format::Table)]
    pub(crate) format: Format,

    /// Keep the raw results and the chart in this directory; written after every run
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
}

/// How results are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people
    Table,
    /// Everything, for programs
    Json,
    /// Rows of figures, for spreadsheets
    Csv,
}

impl<C: Chapter> Cli<C> {
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
