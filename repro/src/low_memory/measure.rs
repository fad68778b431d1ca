//! The parent's side: one child at a time, the arms in turns.

use super::case::Case;
use super::flags::Flags;
use super::results::{LuaRun, Results};
use super::{memory, randomisation};
use crate::arm;
use crate::surroundings;
use anyhow::Context;
use brk_hole::luajit::Vm;
use heap_meter::experiment::{RunError, Stop, VoidRun, observe_untraced};
use heap_meter::target::{Stream, Target};
use std::path::{Path, PathBuf};

/// How often a run is tried whose condition can't be made. With randomisation the break is now and
/// then above the trick's guard.
const ATTEMPTS: usize = 20;

/// What is to be measured, and what has been.
pub(super) struct Measurement {
    program: PathBuf,
    cases: Vec<Case>,
    repeats: u32,
    most_bytes: u64,
    /// Whether Lua's objects may lie anywhere.
    gc64: bool,
    pub(super) results: Results,
}

/// How a measurement ended that didn't fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    Complete,
    Interrupted { runs: u64, of: u64 },
}

/// What is done now, for a progress bar: runs that have ended, of so many.
pub(super) struct Progress<'a> {
    pub(super) done: u64,
    pub(super) of: u64,
    pub(super) arm: &'a str,
    pub(super) case: Case,
}

impl Measurement {
    /// Prepares it: switches randomisation off unless it is wanted, and describes the surroundings.
    pub(super) fn prepare(flags: &Flags) -> anyhow::Result<Self> {
        // Before the environment is described: that has it as the children will find it.
        let note = randomisation_note(flags.aslr);
        let mut results = Results::new(surroundings::describe(None)?, flags.parameters());
        results.notes.push(note);
        let measurement = Self {
            program: std::env::current_exe().context("can't find this program's own file")?,
            cases: flags.cases(),
            repeats: flags.repeats,
            most_bytes: flags.most,
            gc64: Vm::new().and_then(|vm| vm.has_64_bit_gc_pointers())?,
            results,
        };
        for case in &measurement.cases {
            memory::ensure(measurement.needed(*case))?;
        }
        Ok(measurement)
    }

    /// Runs it. After every run `after_run` gets the results so far.
    pub(super) fn run(
        &mut self,
        stop: &Stop,
        progress: &mut dyn FnMut(Progress<'_>),
        after_run: &mut dyn FnMut(&Results),
    ) -> anyhow::Result<Ended> {
        let cases = self.cases.clone();
        let of = u64::from(self.repeats) * cases.len() as u64 * 2;
        let mut done = 0;
        for repeat in 0..self.repeats {
            for (number, case) in cases.iter().enumerate() {
                for index in order(repeat, number) {
                    let arm = self.results.arms[index].name;
                    let case = *case;
                    progress(Progress {
                        done,
                        of,
                        arm,
                        case,
                    });
                    let Some(run) = self.one(index, case, stop)? else {
                        return Ok(Ended::Interrupted { runs: done, of });
                    };
                    done += 1;
                    self.results.arms[index].runs.push(run);
                    self.results.compare(&cases);
                    self.results.findings = super::judge::findings(&self.results);
                    after_run(&self.results);
                }
            }
        }
        Ok(Ended::Complete)
    }

    /// One run that counts; `None` if somebody wished to stop.
    fn one(&mut self, index: usize, case: Case, stop: &Stop) -> anyhow::Result<Option<LuaRun>> {
        let arm = self.results.arms[index].name;
        let target = self.target(arm, case);
        for _ in 0..ATTEMPTS {
            memory::ensure(self.needed(case))?;
            let weighed = match observe_untraced(&target, stop, &mut |_, _| {}) {
                Ok(weighed) => weighed,
                Err(RunError::Interrupted) => return Ok(None),
                Err(error) => return Err(failed(error, arm, case)),
            };
            match weighed.void {
                None => return LuaRun::new(case, weighed).map(Some),
                Some(reason) => self.results.arms[index].void_runs.push(VoidRun {
                    reason,
                    traced: false,
                }),
            }
        }
        let last = self.results.arms[index].void_runs.last();
        anyhow::bail!(
            "{arm}, {case}: not one of {ATTEMPTS} runs counts: {}",
            last.map_or("", |void| &void.reason)
        )
    }

    fn target(&self, arm: &str, case: Case) -> Target {
        let program: &Path = &self.program;
        Target::new(program)
            .args(case.arguments(self.most_bytes))
            .env(arm::VARIABLE, arm)
            .stdin(Stream::Null)
            .stdout(Stream::Null)
    }

    fn needed(&self, case: Case) -> u64 {
        memory::needed(case.fill_bytes, self.most_bytes, self.gc64)
    }
}

/// What the report says about randomisation, and switches it off unless it is wanted.
fn randomisation_note(wanted: bool) -> String {
    if wanted {
        return "address randomisation was left on (--aslr): where the break begins moves the \
                figures too"
            .to_owned();
    }
    match randomisation::switch_off() {
        Ok(()) => "address randomisation was off in the children (personality(2), \
                   ADDR_NO_RANDOMIZE); --aslr leaves it on"
            .to_owned(),
        Err(error) => format!(
            "address randomisation was ON in the children, because the kernel refused to switch it \
             off (personality(2), ADDR_NO_RANDOMIZE): {error}; where the break begins moves the \
             figures too. Outside a container, or with its seccomp filter off, it can be"
        ),
    }
}

/// The arms take turns in going first.
fn order(repeat: u32, case: usize) -> [usize; 2] {
    if (repeat as usize + case).is_multiple_of(2) {
        [0, 1]
    } else {
        [1, 0]
    }
}

fn failed(error: RunError, arm: &str, case: Case) -> anyhow::Error {
    let hint = match &error {
        RunError::Failed { ending, .. } if ending.to_string().contains("signal 9") => {
            "; most likely the OOM killer did it: take less with --most or --fill"
        }
        _ => "",
    };
    anyhow::anyhow!("{arm}, {case}: {error}{hint}")
}
