//! The parent's side: one child at a time, the arms in turns.

use super::case::LuaCase;
use super::flags::{LowMemoryFlags, NAME};
use super::results::{LowMemoryResults, LuaRun, compared};
use super::{judge, memory};
use crate::arm::{CONTROL, HOLE};
use crate::drive::child_of;
use brk_hole::Vm;
use heap_meter::environment::Environment;
use heap_meter::experiment::{
    ArmResults, ExperimentError, RunError, StopFlag, observe_untraced, order, until_valid,
};
use indicatif::ProgressBar;

/// Runs it all. After every run `after_run` gets the results so far.
pub(super) fn run(
    flags: &LowMemoryFlags,
    environment: Environment,
    note: String,
    stop: &StopFlag,
    bar: &ProgressBar,
    after_run: &mut dyn FnMut(LowMemoryResults),
) -> anyhow::Result<()> {
    let gc64 = Vm::new().and_then(|vm| vm.has_64_bit_gc_pointers())?;
    let needed = |case: &LuaCase| memory::needed(case.fill_bytes, flags.most, gc64);
    let cases = flags.cases();
    for case in &cases {
        memory::ensure(needed(case))?;
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
                    memory::ensure(needed(case))?;
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
