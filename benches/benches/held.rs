//! How long a process stands still for `brkhole trim`, beside what can't be done without: holding
//! it and letting it go, and `malloc_trim` itself, called by the program.
//!
//! What comes on top of the two is the watcher's: that it is the same program, that no thread is
//! inside malloc, what it weighs before and after. It grows neither with what the process has
//! resident nor with its free chunks, of which `malloc_trim` visits every one: from 10³ to 10⁶ of
//! them it may stand still for 1.5 times as long as `malloc_trim` takes by itself, and 5 ms.
//!
//! And it may not stand still for longer than was foretold (`--dry-run`).
//!
//! Each run has a fresh process, as a heap can be given back once. The times are those for which it
//! stands still, not those of the watcher.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Duration;

use anyhow::Context;
use benches::waiting::Waiting;
use benches::{Bench, Contest, RatioLimits, program};
use remote_call::Held;
use serde_json::Value;

const HELD: &str = "held and let go";
const ITS_OWN: &str = "its own malloc_trim";
const TRIMMED: &str = "brkhole trim";
const FORETOLD: &str = "as foretold";
/// Its own, and what is allowed on top of that, half of it and 5 ms: at most as much is required.
const ALLOWED: &str = "1.5 of its own and 5 ms";
const ON_TOP_SECONDS: f64 = 0.005;
const TIMES: f64 = 1.5;

const PATIENCE: Duration = Duration::from_secs(10);
const FREE_BYTES: u64 = 64 << 20;

fn main() -> ExitCode {
    benches::main("held", env!("CARGO_TARGET_TMPDIR"), bench)
}

fn bench(bench: &mut Bench, place: &Path) -> anyhow::Result<()> {
    let (rounds, share) = bench.by_mode((31, 1), (7, 1), (1, 16));
    if !cfg!(all(target_arch = "x86_64", target_env = "gnu")) {
        bench.skip("held", "only glibc's malloc on x86-64 can be trimmed");
        return Ok(());
    }
    let Some(brkhole) = bench.brkhole("held") else {
        return Ok(());
    };
    let program = program::compile("programs/keeps_free.c", place)?;
    for (name, free_bytes, threads, chunks) in [
        ("held/small", 0, 1, 0),
        ("held/free", FREE_BYTES, 1, 0),
        ("held/free_8_threads", FREE_BYTES, 8, 0),
        ("held/chunks_1000", 0, 1, 1_000),
        ("held/chunks_10000", 0, 1, 10_000),
        ("held/chunks_100000", 0, 1, 100_000),
        ("held/chunks_1000000", 0, 1, 1_000_000),
    ] {
        if !bench.wants(name) {
            continue;
        }
        let heap = Heap {
            program: &program,
            brkhole: &brkhole,
            free_bytes: free_bytes / share,
            threads,
            chunks: chunks / share,
        };
        let contest = match chunks {
            0 => heap.contest(name),
            _ => heap.allowed(name),
        };
        bench.run(contest, rounds)?;
    }
    Ok(())
}

/// A process that keeps memory free, and who has it give that back.
struct Heap<'a> {
    program: &'a PathBuf,
    brkhole: &'a PathBuf,
    free_bytes: u64,
    threads: u64,
    /// Single free chunks besides.
    chunks: u64,
}

impl Heap<'_> {
    fn contest(&self, name: &str) -> Contest<'_> {
        Contest::new(name)
            .parameter("free_bytes", self.free_bytes)
            .parameter("threads", self.threads)
            .arm(HELD, || self.held())
            .arm(ITS_OWN, || self.start()?.go())
            .arm(FORETOLD, || self.foretold())
            .arm(TRIMMED, || self.trimmed())
            .compare(HELD, TRIMMED)
            .compare(ITS_OWN, TRIMMED)
            .require(FORETOLD, TRIMMED, RatioLimits::at_most(1.0))
    }

    /// With what is required of chunks.
    fn allowed(&self, name: &str) -> Contest<'_> {
        Contest::new(name)
            .parameter("chunks", self.chunks)
            .arm(ALLOWED, || Ok(self.start()?.go()? * TIMES + ON_TOP_SECONDS))
            .arm(FORETOLD, || self.foretold())
            .arm(TRIMMED, || self.trimmed())
            .require(FORETOLD, TRIMMED, RatioLimits::at_most(1.0))
            .require(ALLOWED, TRIMMED, RatioLimits::at_most(1.0))
    }

    fn start(&self) -> anyhow::Result<Waiting> {
        let arguments = [self.free_bytes, self.threads, self.chunks];
        let arguments = arguments.map(|number| number.to_string());
        Waiting::start(self.program, &arguments)
    }

    fn held(&self) -> anyhow::Result<f64> {
        let waiting = self.start()?;
        let held = Held::hold(waiting.pid(), PATIENCE)?;
        let threads = held.threads().len() as u64;
        anyhow::ensure!(threads == self.threads, "{threads} threads stood still");
        Ok(held.release().as_secs_f64())
    }

    /// What `brkhole trim` reports.
    fn report(&self, waiting: &Waiting, options: &[&str]) -> anyhow::Result<Value> {
        let output = Command::new(self.brkhole)
            .args(["trim", "--max-hold", "60", "--format", "json"])
            .args(options)
            .arg(waiting.pid().to_string())
            .output()
            .context("can't start brkhole")?;
        let complaint = String::from_utf8_lossy(&output.stderr);
        anyhow::ensure!(output.status.success(), "brkhole trim: {complaint}");
        let mut reports: Value = serde_json::from_slice(&output.stdout)?;
        Ok(reports["processes"][0].take())
    }

    fn foretold(&self) -> anyhow::Result<f64> {
        let mut waiting = self.start()?;
        let report = self.report(&waiting, &["--dry-run"])?;
        waiting.go()?;
        let seconds = report["predicted_held_seconds"].as_f64();
        seconds.context("brkhole trim tells how long the process would stand still")
    }

    /// All of it has to come back, or another thing was measured.
    fn trimmed(&self) -> anyhow::Result<f64> {
        let mut waiting = self.start()?;
        let report = self.report(&waiting, &[])?;
        let returned = report["returned_bytes"].as_u64();
        let returned = returned.context("brkhole trim tells what was given back")?;
        // Of each run, what is on pages with other blocks stays.
        anyhow::ensure!(
            returned >= self.free_bytes / 2,
            "{returned} bytes were given back of {}",
            self.free_bytes
        );
        waiting.go()?;
        let seconds = report["longest_held_seconds"].as_f64();
        seconds.context("brkhole trim tells how long the process stood still")
    }
}
