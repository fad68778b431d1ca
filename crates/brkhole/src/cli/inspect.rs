//! The command line of `brkhole inspect`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgGroup, Args, ValueEnum};

use super::arguments::{Processes, seconds};

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES, override_usage = USAGE)]
#[command(group(ArgGroup::new("which").args(["pids", "comm", "unit", "all"]).required(true).multiple(true)))]
pub(crate) struct InspectArguments {
    /// Every process that may be read; those that may not are counted, with the reason
    #[arg(long, conflicts_with = "pids")]
    pub(crate) all: bool,

    #[command(flatten)]
    pub(crate) processes: Processes,

    /// Only so many: rows, or command names in openmetrics [default: 20 in a table of --all and in
    /// openmetrics; otherwise all]
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = at_least_one)]
    pub(crate) top: Option<usize>,

    /// Keep whose memory it is in this file, for --since
    #[arg(long, value_name = "FILE", conflicts_with_all = ["all", "wanted", "watch"])]
    pub(crate) save: Option<PathBuf>,

    /// Tell what has grown, by owner, since --save wrote this file
    #[arg(long, value_name = "FILE", conflicts_with_all = ["all", "wanted"])]
    pub(crate) since: Option<PathBuf>,

    /// Look again every so many seconds until Ctrl-C, or until all that were named have ended
    #[arg(long, value_name = "SECONDS", allow_negative_numbers = true, value_parser = seconds)]
    pub(crate) watch: Option<Duration>,

    /// Write the report as one HTML file, which can be attached to a ticket
    #[arg(long, value_name = "F.html")]
    pub(crate) html: Option<PathBuf>,

    /// How results are written
    #[arg(long, value_enum, default_value_t = InspectFormat::Table)]
    pub(crate) format: InspectFormat,

    /// Write results to this file (- is standard output); a reader sees the old or the new one whole
    #[arg(short = 'o', long = "output", value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,
}

impl InspectArguments {
    /// Whether processes are looked for, not named.
    pub(crate) fn is_survey(&self) -> bool {
        self.processes.pids.is_empty()
    }
}

const USAGE: &str = "brkhole inspect [OPTIONS] <PID>...
       brkhole inspect [OPTIONS] --all | --comm <NAME> | --unit <UNIT|CGROUP>";

const EXAMPLES: &str = "\
Examples:
  brkhole inspect 1234                         one process: whose memory, its malloc, what to do
  brkhole inspect $(pidof nginx)               the findings, and a row for each
  sudo brkhole inspect --all                   who keeps most that could be given back
  brkhole inspect --comm nginx --watch 2       again every 2 seconds
  brkhole inspect --save then.json 1234        what it has now, to compare with later
  brkhole inspect --since then.json 1234       what grew since, by owner
  brkhole inspect --unit nginx.service         all of a systemd unit
  brkhole inspect --all --format json | jq '.processes[] | select(.break.blocked) | .pid'
  brkhole inspect --all --format openmetrics -o /var/lib/prometheus/node-exporter/brkhole.prom

Nothing is stopped and nothing is changed: a process is read through /proc, while it runs. What
could not be verified is unknown, with the reason, and never a guess.

Words:
  private      resident memory that no other process has: what the machine would get back
  heap         what malloc has from the kernel (malloc_stats: system bytes)
  free         what of it the program doesn't use: free chunks, and the top
  top          the free end of an arena, the only place from where free() shrinks it
  returnable   resident whole pages of free: malloc_trim(0) gives them back (brkhole trim PID)
  mmapped      blocks with a mapping of their own: free() unmaps them
  [heap]       the break's mapping, the main arena's place (/proc/PID/maps)
  ok, unused   of the break: it can grow; nothing uses it
  near-wall    it can grow, but not by much
  blocked      it can't, because of a mapping; limited: because of RLIMIT_DATA or RLIMIT_AS
  abandoned    it could, but malloc was refused once and takes its memory by mmap

Resident memory is exact for processes that are named by PID (smaps_rollup). With --all, --comm and
--unit it is what ps shows, which may be off by some hundred KiB.

Other users' processes need root (sudo), or CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH.

Exit status: 0 done; 1 failed, nothing matched, or one of the PIDs could not be read (the others are
still reported); 2 bad usage. With --all, --comm and --unit what can't be read is counted and no
failure.";

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum InspectFormat {
    /// For people
    Table,
    /// Everything, for programs
    Json,
    /// A row a process
    Csv,
    /// For node_exporter's textfile collector: sums by command name, as text that is both
    /// Prometheus's format and OpenMetrics
    Openmetrics,
}

fn at_least_one(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(number) if number > 0 => Ok(number),
        _ => Err("expected a whole number above 0, such as 20".to_owned()),
    }
}
