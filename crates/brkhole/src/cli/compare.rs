//! The command line of `brkhole compare`.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::Args;

use super::OutputArguments;

/// `brkhole compare`.
#[derive(Debug, Args)]
#[command(after_help = COMPARE_EXAMPLES)]
pub(crate) struct CompareArguments {
    /// How often each arm is run; an interval needs at least 3
    #[arg(long, value_name = "R", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) repeats: u32,

    /// Draw memory at the end, arm beside arm
    #[arg(long, value_name = "F.svg")]
    pub(crate) chart: Option<PathBuf>,

    /// Draw where memory lies in either arm, the low 2 GiB enlarged; takes one more run of each
    #[arg(long, value_name = "F.svg")]
    pub(crate) map: Option<PathBuf>,

    /// Keep the raw results in this directory; written after every run
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) output: OutputArguments,

    /// The command and its arguments, all options behind it are its own; its output is thrown away
    #[arg(trailing_var_arg = true, required = true)]
    pub(crate) command: Vec<OsString>,
}

const COMPARE_EXAMPLES: &str = "\
Examples:
  brkhole compare nginx -t
  brkhole compare --repeats 10 --format json python3 script.py
  brkhole compare --map where.svg luajit script.lua

Each run is a fresh process. Time and memory are taken in runs without stops, system calls are
counted in others. In the arm `hole` a page is mapped at the break of every program that is
executed, before its first instruction: nothing is preloaded or recompiled.";
