//! What the campaigns that go through all releases take on the command line.

use clap::Args;
use clap::builder::RangedU64ValueParser;
use std::path::PathBuf;

/// What is asked for. (No default by a const parameter: clap keeps the text of a default in a static, of
/// which all instances of a generic have one.)
#[derive(Debug, Args)]
pub struct Parameters {
    /// nginx's locations, or as many SSL contexts: what a further one costs takes at least 2.
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = at_least(2))]
    pub locations: u32,
    /// How often each arm is run.
    #[arg(long, value_name = "R", default_value_t = 3, value_parser = at_least(1))]
    pub repeats: u32,
    /// Directory for the raw data, from the repository's root.
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
}

/// A whole number from this one on.
pub fn at_least(least: u64) -> RangedU64ValueParser<u32> {
    RangedU64ValueParser::new().range(least..)
}
