//! The command line of `brkhole explain`.

use std::path::PathBuf;

use clap::Args;

use super::OutputArguments;

/// `brkhole explain`.
#[derive(Debug, Args)]
#[command(after_help = EXPLAIN_EXAMPLES)]
pub(crate) struct ExplainArguments {
    /// Logs that strace wrote (gzip too); several if `-ff` wrote one a process; - for standard input
    #[arg(required = true, value_name = "LOG")]
    pub(crate) logs: Vec<PathBuf>,

    /// Draw memory over time; needs a log with times (-t, -tt, -ttt or -r)
    #[arg(long, value_name = "F.svg")]
    pub(crate) chart: Option<PathBuf>,

    /// Draw where the memory of the process that grew most lies, with the low 2 GiB enlarged
    #[arg(long, value_name = "F.svg")]
    pub(crate) map: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) output: OutputArguments,
}

const EXPLAIN_EXAMPLES: &str = "\
Examples:
  strace -f -tt -o log nginx -t; brkhole explain log
  strace -ff -ttt -o log nginx -t; brkhole explain log.*
  zcat log.gz | brkhole explain -

A log that leaves calls out (strace -e) tells of those that it has. Good to have are
-e trace=memory,open,openat,close,%process and -f.";
