//! Chapter `low-memory`: what the trick had bought.
//!
//! A LuaJIT with 32-bit GC pointers needs its objects below 2 GiB, where the break of a program that
//! isn't position independent grows too. C takes some heap, and then Lua makes objects until it has
//! "not enough memory", with the break free and blocked. It isn't an experiment of checkpoints, since
//! what counts is how far Lua came, so it has a parent of its own.

mod flags;
mod judge;
mod machine;
mod report;
mod results;
mod work;

use crate::arm::{CONTROL, HOLE};
use crate::chapter;
use crate::child::Child;
use crate::drive::{as_either, child_of};
use brk_hole::{BeforeMain, Vm};
use clap::Parser;
use flags::LuaCase;
use flags::{LowMemoryFlags, NAME};
use heap_meter::environment::Environment;
use heap_meter::experiment::{
    ArmResults, ExperimentError, RunError, StopFlag, observe_untraced, order, until_valid,
};
use indicatif::ProgressBar;
use results::{LowMemoryResults, LuaRun, compared};
use std::ffi::OsString;
use std::process::ExitCode;

/// `low-memory`'s `main`: the parent's or the child's, whichever this process is.
pub fn main(trick: &BeforeMain) -> ExitCode {
    let work = |arguments: &[OsString]| {
        work::run(arguments, &Child::new(trick))?;
        Ok(ExitCode::SUCCESS)
    };
    as_either(NAME, work, || parent(&LowMemoryFlags::parse()))
}

fn parent(flags: &LowMemoryFlags) -> anyhow::Result<ExitCode> {
    let chart = flags.chart.as_deref();
    flags.output.of(NAME, chart, |stop, bar, after_run| {
        // Before the environment is described: that has it as the children will find it.
        let note = machine::randomisation_note(flags.aslr);
        let environment = chapter::describe(None)?;
        run(flags, environment, note, stop, bar, after_run)
    })
}

/// Runs it all. After every run `after_run` gets the results so far.
fn run(
    flags: &LowMemoryFlags,
    environment: Environment,
    note: String,
    stop: &StopFlag,
    bar: &ProgressBar,
    after_run: &mut dyn FnMut(LowMemoryResults),
) -> anyhow::Result<()> {
    let gc64 = Vm::new().and_then(|vm| vm.has_64_bit_gc_pointers())?;
    let needed = |case: &LuaCase| machine::needed_bytes(case.fill_bytes, flags.most, gc64);
    let cases = flags.cases();
    for case in &cases {
        machine::ensure_memory(needed(case))?;
    }
    let arms = [CONTROL, HOLE].map(ArmResults::new).into();
    let mut results = LowMemoryResults::new(NAME, environment, flags.parameters(), arms);
    results.note(note);
    let wanted = u64::from(flags.repeats) * cases.len() as u64 * 2;
    let mut done = 0;
    for repeat in 0..flags.repeats {
        for (number, case) in (0..).zip(&cases) {
            for index in order(2, repeat + number) {
                let arm = &mut results.arms[index];
                bar.set_position(100 * done / wanted);
                bar.set_message(format!("{}: {case}", arm.name));
                let target = child_of(&arm.name, case.arguments(flags.most))?;
                let name = format!("{}, {case}", arm.name);
                let run = until_valid(&name, Some(false), &mut arm.void_runs, || {
                    machine::ensure_memory(needed(case))?;
                    let weighed = match observe_untraced(&target, stop, &mut |_, _| {}) {
                        Err(RunError::Interrupted) => {
                            return Err(ExperimentError::Interrupted { done, wanted }.into());
                        }
                        Err(error) => return Err(failed(&error, &name)),
                        Ok(weighed) => weighed,
                    };
                    match weighed.void {
                        Some(reason) => Ok(Err(reason)),
                        None => LuaRun::new(*case, weighed).map(Ok),
                    }
                })?;
                arm.runs.push(run);
                done += 1;
                results.comparison = compared(&results.arms, &cases);
                results.findings = judge::findings(&results);
                after_run(results.clone());
            }
        }
    }
    Ok(())
}

fn failed(error: &RunError, name: &str) -> anyhow::Error {
    let hint = match error {
        RunError::Failed { ending, .. } if ending.to_string().contains("signal 9") => {
            "; most likely the OOM killer did it: take less with --most or --fill"
        }
        _ => "",
    };
    anyhow::anyhow!("{name}: {error}{hint}")
}
