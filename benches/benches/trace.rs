//! What tracing costs: a program run untraced, under strace, and under heap-meter's launch source.
//! Required: launch takes no longer than strace with the same filter, and at most 1.5 times as long
//! as the program alone where that makes 200,000 reads and 3,000 heap calls.
//!
//! Each is a fresh process, from its start to its end, so the tracer's own start counts as well.
//! Launch runs in a process of its own, as a command that uses it does, and tells the whole story;
//! what both say at their end is thrown away.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use benches::launched::{self, LAUNCH};
use benches::{Bench, Contest, RatioLimits, program};
use heap_growth::Tally;
use memory_trace::{Launch, Stream, Target};

/// The calls that launch watches, in strace's words.
#[cfg(target_arch = "x86_64")]
const WATCHED: &str = "trace=memory,open,openat,close";
/// There is no open(2) on younger architectures.
#[cfg(not(target_arch = "x86_64"))]
const WATCHED: &str = "trace=memory,openat,close";

const UNTRACED: &str = "untraced";
const STRACE: &str = "strace";

fn main() -> ExitCode {
    launched::main("trace", env!("CARGO_TARGET_TMPDIR"), bench)
}

struct Load {
    name: &'static str,
    program: PathBuf,
    arguments: Vec<String>,
    /// Tracer and traced share a processor.
    one_processor: bool,
    /// What launch may take, over the program alone.
    at_most: Option<f64>,
}

/// Each program with its tracer on one processor, where the tracers' own work shows, and wherever
/// the scheduler puts the two, where waking a processor that fell idle may cost more than all else.
fn loads(share: u32, place: &Path) -> anyhow::Result<Vec<Load>> {
    let reads = program::compile("../crates/memory-trace/tests/programs/reads.c", place)?;
    let heap = program::compile("programs/heap.c", place)?;
    let load = |name, program: &PathBuf, arguments: &[u32], one_processor| Load {
        name,
        program: program.clone(),
        arguments: arguments.iter().map(|number| (number / share).to_string()).collect(),
        one_processor,
        at_most: None,
    };
    let mostly_reads = |name, one_processor| Load {
        at_most: Some(1.5),
        ..load(name, &reads, &[200_000, 3000], one_processor)
    };
    Ok(vec![
        mostly_reads("trace/reads_one_cpu", true),
        mostly_reads("trace/reads", false),
        load("trace/heap_one_cpu", &heap, &[5000], true),
        load("trace/heap", &heap, &[500], false),
    ])
}

fn bench(bench: &mut Bench, place: &Path) -> anyhow::Result<()> {
    let rounds = bench.by_mode(51, 9, 1);
    let strace = match program::seconds(&mut straced(Path::new("true"), &[])) {
        Ok(_) => true,
        Err(reason) => {
            let reason = format!("{reason:#}; apt-get install strace, and permit ptrace(2)");
            bench.skip("strace", reason);
            false
        }
    };
    for load in loads(bench.by_mode(1, 1, 100), place)? {
        if !bench.wants(load.name) {
            continue;
        }
        let calls = watched_calls(&load)?;
        let Some(_processors) = bench.processors(load.name, load.one_processor) else {
            continue;
        };
        let mut contest = Contest::new(load.name)
            .parameter("arguments", load.arguments.join(" "))
            .parameter("watched_calls", calls)
            .parameter("one_processor", load.one_processor)
            .per("watched call", calls as f64, Some(UNTRACED))
            .arm(UNTRACED, || program::seconds(Command::new(&load.program).args(&load.arguments)));
        if strace {
            contest = contest
                .arm(STRACE, || program::seconds(&mut straced(&load.program, &load.arguments)))
                .compare(UNTRACED, STRACE);
        }
        contest = contest.arm(LAUNCH, || {
            let mut command = program::in_role(LAUNCH)?;
            command.arg(&load.program).args(&load.arguments);
            program::seconds(&mut command)
        });
        contest = match load.at_most {
            Some(ratio) => contest.require(UNTRACED, LAUNCH, RatioLimits::at_most(ratio)),
            None => contest.compare(UNTRACED, LAUNCH),
        };
        if strace {
            contest = contest.require(STRACE, LAUNCH, RatioLimits::at_most(1.0));
        }
        bench.run(contest, rounds)?;
    }
    Ok(())
}

fn straced(program: &Path, arguments: &[String]) -> Command {
    let mut command = Command::new("strace");
    command.args(["--seccomp-bpf", "-f", "-c", "-e", WATCHED]);
    command.arg(program).args(arguments);
    command
}

fn watched_calls(load: &Load) -> anyhow::Result<u64> {
    let target = Target::new(&load.program).args(&load.arguments).stdin(Stream::Null);
    let finished = Launch::start(&target, Tally::default())?.wait()?;
    let counts = finished.sink.by_name();
    Ok(counts.values().map(|counts| counts.calls).sum())
}
