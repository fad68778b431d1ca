//! What a binary of the story has to say for itself, its command line, and what its report says of the
//! machine, the libraries and the bundle.

use crate::arm;
use crate::child::Child;
use crate::output::OutputFlags;
use anyhow::Context;
use brk_hole::Vm;
use clap::{CommandFactory, FromArgMatches, Parser};
use heap_diagnosis::Finding;
use heap_meter::environment::Environment;
use heap_meter::experiment::{Metric, Results};
use std::path::{Path, PathBuf};
use trusted_ca::BundleInfo;

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

    /// What was asked for: for the report, and in this order for the child.
    fn parameters(&self) -> Vec<(&'static str, u64)>;

    /// The child's work, with these parameters and this bundle.
    ///
    /// # Errors
    /// Whatever keeps it from being done; the child ends with status 1 then.
    fn work(parameters: &[u64], bundle: Option<&Path>, child: &Child) -> anyhow::Result<()>;

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

    /// Write a chart of memory over the checkpoints (- for standard output, in place of the table)
    #[arg(long, value_name = "FILE.svg")]
    pub(crate) chart: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) output: OutputFlags,
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

/// The bundle that was named, or the machine's.
///
/// # Errors
/// When there is none; the error lists the places that were tried.
pub(crate) fn bundle(named: Option<&Path>) -> anyhow::Result<PathBuf> {
    let path = match named {
        Some(path) => path.to_owned(),
        None => trusted_ca::default_bundle()
            .map_err(|reason| anyhow::anyhow!("{reason}, or with --bundle PATH"))?,
    };
    // The children may run elsewhere, and a report should tell which file it was.
    std::path::absolute(&path).with_context(|| format!("{}", path.display()))
}

/// The environment, with OpenSSL, LuaJIT and the bundle that this binary works with.
///
/// # Errors
/// When the bundle can't be loaded, or no Lua state can be made.
pub(crate) fn describe(bundle: Option<&Path>) -> anyhow::Result<Environment> {
    let luajit = Vm::new().and_then(|vm| vm.version())?;
    let mut environment =
        Environment::here().with("openssl", trusted_ca::openssl_version()).with("luajit", luajit);
    if let Some(bundle) = bundle {
        let info = BundleInfo::read(bundle)?;
        environment = environment.with(
            "bundle",
            serde_json::json!({
                "path": info.path.to_string_lossy(),
                "bytes": info.bytes,
                "certificates": info.certificates,
            }),
        );
    }
    Ok(environment)
}
