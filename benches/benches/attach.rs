//! What it costs a running program to be watched through the kernel's tracepoints, and what it
//! costs others. Required: at most 1.1 times the time of the program alone.
//!
//! While any process is watched so, all system calls of all processes take a longer way through
//! the kernel (`SYSCALL_WORK_SYSCALL_TRACEPOINT`), which is most of the cost of a program that
//! makes many calls of which few are watched. So the same program also runs beside a watched one.
//!
//! The program waits until it is watched, and takes its own time from there to its last call. The
//! watcher's part is in it as far as both share the machine's processors; the kernel's part is in
//! it wholly.
//!
//! # References
//! `syscall_regfunc` in `kernel/tracepoint.c` (Linux 6.18)

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use benches::waiting::Waiting;
use benches::{Bench, Contest, RatioLimits, program};
use heap_growth::Story;
use memory_event::Syscall;
use memory_trace::{Attach, AttachError, Via};

const UNWATCHED: &str = "unwatched";
const WATCHED: &str = "watched";
const BESIDE: &str = "beside a watched one";

fn main() -> ExitCode {
    benches::main("attach", env!("CARGO_TARGET_TMPDIR"), bench)
}

fn bench(bench: &mut Bench, place: &Path) -> anyhow::Result<()> {
    let (rounds, share) = bench.by_mode((31, 1), (5, 1), (1, 100));
    let load = Load {
        program: program::compile("programs/reads_on_go.c", place)?,
        reads: 200_000 / share,
        heap_calls: 3000 / share,
    };
    for (name, one_processor) in [("attach/reads_one_cpu", true), ("attach/reads", false)] {
        if !bench.wants(name) {
            continue;
        }
        if let Err(reason) = load.watch() {
            bench.skip(name, format!("no tracepoints: {reason}"));
            continue;
        }
        let Some(_processors) = bench.processors(name, one_processor) else {
            continue;
        };
        let mut lost = 0;
        let contest = load.contest(name, one_processor, &mut lost);
        bench.run(contest, rounds)?;
        if lost > 0 {
            bench.note(format!("{name}: {lost} events were lost in all runs"));
        }
    }
    Ok(())
}

/// The program, and how much it does.
struct Load {
    program: PathBuf,
    reads: u64,
    heap_calls: u64,
}

impl Load {
    fn contest<'a>(&'a self, name: &str, one_processor: bool, lost: &'a mut u64) -> Contest<'a> {
        let contest = Contest::new(name)
            .parameter("reads", self.reads)
            .parameter("watched_calls", self.heap_calls)
            .parameter("one_processor", one_processor)
            .per("watched call", self.heap_calls as f64, Some(UNWATCHED))
            .arm(UNWATCHED, || self.start()?.go())
            .arm(WATCHED, || {
                let (seconds, of_these_lost) = self.watched()?;
                *lost += of_these_lost;
                Ok(seconds)
            })
            .arm(BESIDE, || self.beside_a_watched_one())
            .compare(UNWATCHED, BESIDE)
            .compare(BESIDE, WATCHED);
        if one_processor {
            // The watcher takes its time from the program's own; for comparison.
            contest.compare(UNWATCHED, WATCHED)
        } else {
            contest.require(UNWATCHED, WATCHED, RatioLimits::at_most(1.1))
        }
    }

    fn start(&self) -> anyhow::Result<Waiting> {
        let arguments = [self.reads, self.heap_calls].map(|number| number.to_string());
        Waiting::start(&self.program, &arguments)
    }

    /// Whether a process can be watched at all; why not.
    fn watch(&self) -> anyhow::Result<()> {
        let waiting = self.start()?;
        attach(&waiting)?.stop();
        Ok(())
    }

    /// The program's seconds while it is watched, and how many events were lost.
    fn watched(&self) -> anyhow::Result<(f64, u64)> {
        let mut waiting = self.start()?;
        let attach = attach(&waiting)?;
        let seconds = waiting.go()?;
        let watched = attach.wait()?;
        let seen = watched.sink.tally.get(Syscall::Brk).calls;
        anyhow::ensure!(
            seen <= self.heap_calls && seen + watched.lost_events >= self.heap_calls,
            "{seen} of {} calls seen, {} events lost",
            self.heap_calls,
            watched.lost_events
        );
        Ok((seconds, watched.lost_events))
    }

    /// The program's seconds while another is watched, which does nothing.
    fn beside_a_watched_one(&self) -> anyhow::Result<f64> {
        let other = self.start()?;
        let attach = attach(&other)?;
        let seconds = self.start()?.go()?;
        attach.stop();
        attach.wait()?;
        Ok(seconds)
    }
}

fn attach(waiting: &Waiting) -> Result<Attach<Story>, AttachError> {
    Attach::start(waiting.pid(), Via::Tracepoints, Story::default())
}
