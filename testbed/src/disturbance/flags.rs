//! What the command line may ask for.

use crate::parameters::at_least;
use clap::Args;
use std::path::PathBuf;

/// What is asked for.
#[derive(Debug, Args)]
pub struct Flags {
    /// Processor time of a run, all threads together.
    #[arg(long, value_name = "S", default_value_t = 20, value_parser = at_least(1))]
    pub cpu_seconds: u32,
    /// Runs alone, and as many inspected.
    #[arg(long, value_name = "R", default_value_t = 10, value_parser = at_least(1))]
    pub repeats: u32,
    /// Directory for the raw data, from the repository's root.
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
}
