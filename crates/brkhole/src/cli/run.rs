//! The command lines of what tells the story of a run: `brkhole trace`, `explain` and `compare`.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum, ValueHint};

use super::arguments::{OutputArguments, Wanted, pid, seconds};
use super::complete::{command, pids};

/// What names a process that runs already.
const RUNNING: [&str; 3] = ["pids", "wanted", "all"];

#[derive(Debug, Args)]
#[command(after_help = TRACE_EXAMPLES, override_usage = TRACE_USAGE)]
pub(crate) struct TraceArguments {
    /// Map a page at the break of every program that is executed, before its first instruction
    #[arg(long, conflicts_with_all = RUNNING)]
    pub(crate) hole: bool,

    /// Tell who asked: unwind the stack at every growth
    #[arg(long)]
    pub(crate) stacks: bool,

    /// Draw a flame graph of who asked, bytes wide (implies --stacks)
    #[arg(long, value_name = "F.svg")]
    pub(crate) flamegraph: Option<PathBuf>,

    /// Write folded stacks with bytes, for other tools (implies --stacks)
    #[arg(long, value_name = "FILE")]
    pub(crate) folded: Option<PathBuf>,

    /// Draw memory over time, by kind, with the files being read marked
    #[arg(long, value_name = "F.svg")]
    pub(crate) chart: Option<PathBuf>,

    /// Draw where the memory of the process that grew most lies, with the low 2 GiB enlarged
    #[arg(long, value_name = "F.svg")]
    pub(crate) map: Option<PathBuf>,

    /// Watch these processes, their threads, and the children that they make from now on
    #[arg(
        short,
        long = "pid",
        value_name = "PID",
        num_args = 1..,
        conflicts_with = "wanted",
        value_delimiter = ',',
        allow_negative_numbers = true, value_parser = pid,
        add = pids(),
    )]
    pub(crate) pids: Vec<i32>,

    #[command(flatten)]
    pub(crate) wanted: Wanted,

    /// Watch every process of this machine, whenever it is born, until Ctrl-C or --duration (root)
    #[arg(long, conflicts_with_all = ["pids", "wanted"])]
    pub(crate) all: bool,

    /// Stop watching after so many seconds (Ctrl-C does too); the processes go on
    #[arg(long, value_name = "S", conflicts_with = "command", allow_negative_numbers = true, value_parser = seconds)]
    pub(crate) duration: Option<Duration>,

    /// How processes are watched [default: auto; for a command ptrace, by which alone it is known
    /// what malloc kept and how far files were read]
    #[arg(long, value_enum)]
    pub(crate) via: Option<ViaArgument>,

    /// Write the report with charts as one HTML file, which can be attached to a ticket
    #[arg(long, value_name = "F.html")]
    pub(crate) html: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) output: OutputArguments,

    /// The command and its arguments: from here on, all options are its own
    #[arg(
        trailing_var_arg = true,
        required_unless_present_any = RUNNING,
        conflicts_with_all = RUNNING,
        add = command(),
    )]
    pub(crate) command: Vec<OsString>,
}

impl TraceArguments {
    pub(crate) fn wants_stacks(&self) -> bool {
        self.stacks || self.flamegraph.is_some() || self.folded.is_some()
    }
}

const TRACE_USAGE: &str = "brkhole trace [OPTIONS] [--] <COMMAND>...
       brkhole trace [OPTIONS] --pid <PID> | --comm <NAME> | --unit <UNIT|CGROUP> | --all";

const TRACE_EXAMPLES: &str = "\
Examples:
  brkhole trace nginx -t -c /etc/nginx/nginx.conf
  brkhole trace --stacks --flamegraph who.svg python3 script.py
  brkhole trace --hole nginx -t               what malloc does when the break is blocked
  brkhole trace --format json -o run.json make
  brkhole trace -p $(pidof -s nginx) --duration 30 --chart reload.svg
  brkhole trace --stacks -p 1234 --duration 60
  brkhole trace --unit php-fpm --duration 60  all processes of a service, and which of them grew
  sudo brkhole trace --all --duration 10      which processes of this machine grow, at which files
  brkhole trace --stacks --html report.html make       one file for a ticket
  brkhole trace --map where.svg luajit script.lua      where Lua's memory lies, and where C's

What is watched: brk, mmap, munmap, mremap, mprotect, madvise, open*, creat, close, exec*. The
command's own output stays where it is; -o keeps the report apart from it. A launched command ends
with brkhole, but not by --via bpf; processes that run already go on. All that --comm or --unit
finds at the beginning are watched, in one report, with their children from then on. Whoever comes
to a unit or cgroup (of version 2; not with --comm, nor by ptrace) is watched as well, until Ctrl-C
or --duration. Of a running process 16 KiB of stack are looked at: what lies above is told as [stack not copied]. --all
watches everybody but brkhole, by BPF programs or tracepoints alone, and tells of the 64 processes
that grew most, of the 64 that asked for most and ended, and of the others' sum.

Words:
  break            memory at the program break, where malloc's main arena grows (brk)
  fallback         by mmap in place of a refused brk; free() gives none of it back
  large mappings   blocks above M_MMAP_THRESHOLD, each with a mapping of its own
  thread arenas    heaps of other threads
  low 2 GiB        asked for below 2 GiB (MAP_32BIT)
  there before     given back of what wasn't asked for under watch
  inclusive        asked for in a function and in what it called; exclusive: in it alone
  heap, free       what malloc has from the kernel; what of that isn't in use
  returnable       resident whole pages of free: malloc_trim(0) gives them back

Exit status: COMMAND's own (128 + n if signal n killed it), or 0 once a running process was watched;
1 failed, or nothing matched; 2 bad usage.";

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ViaArgument {
    /// By BPF programs, by tracepoints or by ptrace: the first that is permitted and misses nothing
    Auto,
    /// By BPF programs in the kernel: where calls return; a command isn't stopped then, either
    Bpf,
    /// By the kernel's tracepoints: nothing is stopped
    Tracepoints,
    /// By ptrace: every system call of a running process stops twice
    Ptrace,
}

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

    /// Write the report with charts as one HTML file, which can be attached to a ticket
    #[arg(long, value_name = "F.html")]
    pub(crate) html: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) output: OutputArguments,
}

const EXPLAIN_EXAMPLES: &str = "\
Examples:
  strace -f -tt -o log nginx -t; brkhole explain log
  strace -ff -ttt -o log nginx -t; brkhole explain log.*
  zcat log.gz | brkhole explain -

A log that leaves calls out (strace -e) tells of those that it has. Good to have are
-e trace=memory,open,openat,close,%process and -f.

Exit status: 0 done; 1 failed, or a log could not be read; 2 bad usage.";

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
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(crate) out: Option<PathBuf>,

    /// Write the report with charts as one HTML file, which can be attached to a ticket
    #[arg(long, value_name = "F.html")]
    pub(crate) html: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) output: OutputArguments,

    /// The command and its arguments, all options behind it are its own; its output is thrown away
    #[arg(trailing_var_arg = true, required = true, add = command())]
    pub(crate) command: Vec<OsString>,
}

const COMPARE_EXAMPLES: &str = "\
Examples:
  brkhole compare nginx -t
  brkhole compare --repeats 10 --format json python3 script.py
  brkhole compare --map where.svg luajit script.lua

Each run is a fresh process. Time and memory are taken in runs without stops, system calls are
counted in others. In the arm `hole` a page is mapped at the break of every program that is
executed, before its first instruction: nothing is preloaded or recompiled.

Exit status: 0 done; 1 failed; 2 bad usage; 130 interrupted, and what was measured is reported.";
