//! The command line of `brkhole trace`.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};

use super::{OutputArguments, seconds};

/// `brkhole trace`.
#[derive(Debug, Args)]
#[command(after_help = TRACE_EXAMPLES, override_usage = TRACE_USAGE)]
pub(crate) struct TraceArguments {
    /// Map a page at the break of every program that is executed, before its first instruction
    #[arg(long, conflicts_with = "pid")]
    pub(crate) hole: bool,

    /// Tell who asked: unwind the stack at every growth
    #[arg(long, conflicts_with = "pid")]
    pub(crate) stacks: bool,

    /// Draw a flame graph of who asked, bytes wide (implies --stacks)
    #[arg(long, value_name = "F.svg", conflicts_with = "pid")]
    pub(crate) flamegraph: Option<PathBuf>,

    /// Write folded stacks with bytes, for other tools (implies --stacks)
    #[arg(long, value_name = "FILE", conflicts_with = "pid")]
    pub(crate) folded: Option<PathBuf>,

    /// Draw memory over time, by kind, with the files being read marked
    #[arg(long, value_name = "F.svg")]
    pub(crate) chart: Option<PathBuf>,

    /// Draw where the memory of the process that grew most lies, with the low 2 GiB enlarged
    #[arg(long, value_name = "F.svg")]
    pub(crate) map: Option<PathBuf>,

    /// Watch this process, its threads, and the children that it makes from now on
    #[arg(short, long, value_name = "PID", value_parser = clap::value_parser!(i32).range(1..))]
    pub(crate) pid: Option<i32>,

    /// Stop watching after so many seconds (Ctrl-C does too); the process goes on
    #[arg(long, value_name = "S", conflicts_with = "command", value_parser = seconds)]
    pub(crate) duration: Option<Duration>,

    /// How a running process is watched
    #[arg(long, value_enum, default_value_t = ViaArgument::Auto, conflicts_with = "command")]
    pub(crate) via: ViaArgument,

    #[command(flatten)]
    pub(crate) output: OutputArguments,

    /// The command and its arguments: from here on, all options are its own
    #[arg(
        trailing_var_arg = true,
        required_unless_present = "pid",
        conflicts_with = "pid"
    )]
    pub(crate) command: Vec<OsString>,
}

const TRACE_USAGE: &str = "brkhole trace [OPTIONS] [--] <COMMAND>...
       brkhole trace [OPTIONS] --pid <PID>";

const TRACE_EXAMPLES: &str = "\
Examples:
  brkhole trace nginx -t -c /etc/nginx/nginx.conf
  brkhole trace --stacks --flamegraph who.svg python3 script.py
  brkhole trace --hole nginx -t               what malloc does when the break is blocked
  brkhole trace --format json -o run.json make
  brkhole trace -p $(pidof -s nginx) --duration 30 --chart reload.svg
  brkhole trace --map where.svg luajit script.lua      where Lua's memory lies, and where C's

What is watched: brk, mmap, munmap, mremap, mprotect, madvise, open*, creat, close, exec*. The
command's own output stays where it is; -o keeps the report apart from it. A launched command ends
with brkhole, a process that is watched with --pid goes on.";

/// How a running process is watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ViaArgument {
    /// By tracepoints where that is permitted, otherwise by ptrace
    Auto,
    /// By the kernel's tracepoints: nothing is stopped
    Tracepoints,
    /// By ptrace: every system call stops twice
    Ptrace,
}
