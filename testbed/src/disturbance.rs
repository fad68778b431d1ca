//! What being looked into costs a process: a program whose threads do nothing but malloc and free
//! runs alone and while its malloc is read from outside, by turns; it is read a thousand times.
//!
//! Its threads keep every processor busy, so whoever looks takes processor time that they would
//! have had. That is the price of running beside them, whatever one does; what the looking itself
//! disturbs shows in the operations for each second of the program's own processor time. Both are
//! told.

mod results;

use crate::campaign::{Recorder, at_least, judge};
use crate::testbed::Testbed;
use anyhow::Context;
use clap::Args;
use heap_meter::environment::Environment;
use proc_memory::Process;
use results::Inspections;
pub use results::{ChurnRun, Disturbance, INSPECTIONS};
use serde_json::json;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

const THREADS: u32 = 8;

#[derive(Debug, Args)]
pub struct DisturbanceOptions {
    /// Processor time of a run, all threads together.
    #[arg(long, value_name = "S", default_value_t = 20, value_parser = at_least(1))]
    cpu_seconds: u32,
    /// Runs alone, and as many inspected.
    #[arg(long, value_name = "R", default_value_t = 10, value_parser = at_least(1))]
    repeats: u32,
    /// Directory for the raw data, from the repository's root.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

/// Runs the program by turns and prints the table. Do it on a machine that does nothing else. Fails
/// when the program can't be built or fails, it is disturbed by more than it may be, or it couldn't
/// be looked into often enough.
pub fn run(options: &DisturbanceOptions) -> anyhow::Result<()> {
    anyhow::ensure!(
        !cfg!(debug_assertions),
        "the look is to take as long as it takes users: cargo testbed disturbance"
    );
    let recorder = Recorder::open(options.out.as_deref())?;
    let place = Testbed::new(None, None)?;
    let flags = ["-pthread"];
    place.compile("testbed/programs/churn.c", "churn", &flags)?;
    let program = place.here("churn");
    let (mut alone, mut inspected) = (Vec::new(), Vec::new());
    for repeat in 0..options.repeats {
        eprintln!("{} of {}", repeat + 1, options.repeats);
        // The order turns, so that a machine that grows warmer meets both alike.
        for is_inspected in [repeat % 2 == 1, repeat % 2 == 0] {
            let runs = if is_inspected { &mut inspected } else { &mut alone };
            runs.push(churned(&program, options, is_inspected)?);
        }
    }
    let parameters = json!({
        "threads": THREADS,
        "cpu_seconds": options.cpu_seconds,
        "repeats": options.repeats,
        "least_inspections": INSPECTIONS,
    });
    let disturbance = Disturbance::of(parameters, alone, inspected);
    recorder.keep(&disturbance)?;
    judge(&disturbance)
}

/// Runs the program to its end, and looks into it meanwhile if it is to be inspected.
fn churned(
    program: &Path,
    options: &DisturbanceOptions,
    is_inspected: bool,
) -> anyhow::Result<ChurnRun> {
    let budget = options.cpu_seconds;
    let child = Command::new(program)
        .args([THREADS.to_string(), budget.to_string()])
        .stdout(Stdio::piped())
        .spawn()?;
    let mut child = ChurnProcess(child);
    let inspections = match is_inspected {
        true => {
            let process = Process::open(child.0.id().cast_signed())?;
            let processors = Environment::here().logical_cpus.unwrap_or(1).max(1);
            let lasts = f64::from(budget) / processors as f64;
            let looks = INSPECTIONS as f64 / f64::from(options.repeats);
            let pace = Duration::from_secs_f64(lasts / looks);
            let mut is_over = || Ok(child.0.try_wait()?.is_some());
            Some(Inspections::until(&process, pace, &mut is_over)?)
        }
        false => None,
    };
    let status = child.0.wait()?;
    anyhow::ensure!(status.success(), "churn: {status}");
    let output = child.0.stdout.take().context("its output is a pipe")?;
    let run: ChurnRun = serde_json::from_reader(output).context("what churn says")?;
    Ok(ChurnRun { inspections, ..run })
}

struct ChurnProcess(Child);

impl Drop for ChurnProcess {
    fn drop(&mut self) {
        // Both fail when it has ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
