//! The command line of `brkhole trim`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgGroup, Args};
use human_text::Bytes;

use super::arguments::{OutputArguments, Processes, seconds};

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES, override_usage = USAGE)]
#[command(group(ArgGroup::new("which").args(["pids", "comm", "unit", "all"]).required(true).multiple(true)))]
pub(crate) struct TrimArguments {
    #[command(flatten)]
    pub(crate) processes: Processes,

    /// Only tell what would be given back; the process is not stopped
    #[arg(long)]
    pub(crate) dry_run: bool,

    /// How long to try again while the process is inside malloc, or a lock of it is held
    #[arg(long, value_name = "SECONDS", default_value = "5", allow_negative_numbers = true, value_parser = seconds)]
    pub(crate) patience: Duration,

    /// How long the process may stand still; refused if that is foretold to be longer, and let go
    /// after that in any case
    #[arg(long, value_name = "SECONDS", default_value = "1", allow_negative_numbers = true, value_parser = seconds)]
    pub(crate) max_hold: Duration,

    /// Also a process whose system calls are filtered (seccomp), as in a container: the filter has
    /// to permit madvise, munmap, brk and futex, and not kill for them
    #[arg(long)]
    pub(crate) allow_seccomp: bool,

    /// Look again every so many seconds, until a signal comes, and trim whoever keeps more than
    /// --above: at most once in that time, and ever more seldom where it is of no use
    #[arg(
        long,
        value_name = "SECONDS",
        allow_negative_numbers = true, value_parser = seconds,
        requires = "above",
        conflicts_with_all = ["dry_run", "html", "format", "file"],
    )]
    pub(crate) watch: Option<Duration>,

    /// With --watch: what a process may keep, such as 256MiB
    #[arg(long, value_name = "SIZE", allow_negative_numbers = true, requires = "watch")]
    pub(crate) above: Option<Bytes>,

    /// With --watch: every process
    #[arg(long, requires = "watch", conflicts_with = "pids")]
    pub(crate) all: bool,

    /// With --watch: write what is seen and done to this file each time, as inspect's openmetrics
    #[arg(long, value_name = "FILE", requires = "watch")]
    pub(crate) metrics: Option<PathBuf>,

    /// Write the report as one HTML file, which can be attached to a ticket
    #[arg(long, value_name = "F.html")]
    pub(crate) html: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) output: OutputArguments,
}

const USAGE: &str = "brkhole trim [OPTIONS] <PID>...
       brkhole trim [OPTIONS] --comm <NAME> | --unit <UNIT|CGROUP>
       brkhole trim [OPTIONS] --watch <SECONDS> --above <SIZE> --all | --comm <NAME> | … | <PID>...";

const EXAMPLES: &str = "\
Examples:
  brkhole trim --dry-run 1234                  what it would give back; nothing is stopped
  sudo brkhole trim 1234
  sudo brkhole trim --comm nginx               the same as $(pidof nginx)
  sudo brkhole trim --unit nginx.service
  sudo brkhole trim --patience 60 1234         a process that is in malloc most of the time
  sudo brkhole trim --max-hold 0.05 1234       only if it stands still for 50 ms at most
  sudo brkhole trim --format json -o trimmed.json 1234
  sudo brkhole trim --watch 60 --above 256MiB --comm nginx      whenever one keeps more

What it does: follows malloc's lists of free memory while the process runs, stops all its threads
(ptrace), makes sure that it still is the program that was looked at, that no thread is inside
malloc and that no lock of it is held, has one of them call malloc_trim(0), puts all its registers
and its errno back, and lets it go. If a thread is inside malloc, it is let go at once and stopped
again a moment later, until patience is over. The process stands still meanwhile, as a rule for some
milliseconds; the more it gives back, the longer. How long is foretold, and the report says it.

The risk: code that the process never asked for runs in it. Where anything is not as expected it is
let go unchanged, and what stood in the way is said. A heap that can't be verified is refused: at a
damaged one, malloc_trim would abort the program. It is verified a moment before the process is
held. The first signal at brkhole itself lets the process go at once; if it comes during the call,
that goes on by itself. A second ends brkhole, as does kill -9: the process runs on. Try --dry-run
first.

When not: where a pause hurts (real-time work, heartbeats that expire within milliseconds); where
the process needs the memory again soon, for it then pays for every page a second time; in place of
a cure, if the memory is only kept because the break is blocked (`brkhole inspect PID` tells).

With --watch: each interval all are looked at as by `inspect --all`, and who keeps more than SIZE is
trimmed, once. Where half of that is resident again at the next look, or nothing came, the program
is left alone for twice as long, 64 intervals at most; once it helps, for one. Each trim is told on
standard error, and the sum at the end. A signal ends the watching, in the way told above.

Instead: a program that can be changed calls malloc_trim(0) itself after its peak, or sets
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD or M_ARENA_MAX (mallopt); one that can't be changed is started
with GLIBC_TUNABLES=glibc.malloc.trim_threshold=131072:glibc.malloc.mmap_threshold=131072.

Other allocators, as shared libraries: jemalloc's mallctl (arena.4096.purge), gperftools'
MallocExtension_ReleaseFreeMemory and mimalloc's mi_collect (by each thread) are called in the same
way, when no thread is inside the library, in the dynamic loader or in a fork. Their lists can't be
verified before. One that is linked into the program is refused.

It needs root (sudo), or CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH; it is for x86-64 and glibc.

Exit status: 0 done; 1 failed, nothing matched, or at least one process was not trimmed (the others
were); 2 bad usage.";
