//! Both sides of a chapter: the parent that measures, the child that works.

use crate::chapter::{Chapter, ChapterCli};
use crate::child::Child;
use crate::{arm, chapter};
use anyhow::Context;
use brk_hole::BeforeMain;
use heap_meter::experiment::{Arm, Experiment, Progress};
use indicatif::ProgressBar;
use memory_trace::{Stream, Target};
use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;

/// A chapter's `main`: the parent's or the child's, whichever this process is.
pub fn main<C: Chapter>(trick: &BeforeMain) -> ExitCode {
    let work = |arguments: &[OsString]| {
        let numbers = arguments.iter().map_while(|text| text.to_str()?.parse().ok());
        let numbers: Vec<u64> = numbers.collect();
        let bundle = match &arguments[numbers.len()..] {
            [] => None,
            [bundle] => Some(Path::new(bundle)),
            _ => anyhow::bail!("expected numbers, and one bundle behind them"),
        };
        C::work(&numbers, bundle, &Child::new(trick))?;
        Ok(ExitCode::SUCCESS)
    };
    as_either(C::NAME, work, || parent(&ChapterCli::<C>::from_command_line()))
}

/// The child's work with its arguments, or the parent's. The status of this program; an error is told
/// first.
pub(crate) fn as_either(
    name: &str,
    work: impl FnOnce(&[OsString]) -> anyhow::Result<ExitCode>,
    parent: impl FnOnce() -> anyhow::Result<ExitCode>,
) -> ExitCode {
    let status = match arm::is_child() {
        true => work(&std::env::args_os().skip(1).collect::<Vec<_>>()),
        false => parent(),
    };
    status.unwrap_or_else(|error| {
        eprintln!("{name}: {error:#}");
        ExitCode::FAILURE
    })
}

fn parent<C: Chapter>(cli: &ChapterCli<C>) -> anyhow::Result<ExitCode> {
    let chart = cli.chart.as_deref();
    cli.output.of(C::NAME, chart, |stop, bar, after_run| {
        let bundle = cli.chapter.bundle().map(chapter::bundle).transpose()?;
        let experiment = experiment(cli, bundle.as_deref())?;
        experiment.run(stop, &mut |progress| show(bar, progress), &mut |results| {
            let mut results = results.clone();
            results.findings = cli.chapter.findings(&results);
            after_run(results);
        })?;
        Ok(())
    })
}

/// This program again, as a child of this arm.
pub(crate) fn child_of(arm: &str, arguments: Vec<OsString>) -> anyhow::Result<Target> {
    let this = std::env::current_exe().context("can't find this program's own file")?;
    Ok(Target::new(this)
        .args(arguments)
        .env(arm::VARIABLE, arm)
        .stdin(Stream::Null)
        .stdout(Stream::Null))
}

fn experiment<C: Chapter>(
    cli: &ChapterCli<C>,
    bundle: Option<&Path>,
) -> anyhow::Result<Experiment> {
    let parameters = cli.chapter.parameters();
    let numbers = parameters.iter().map(|(_, number)| number.to_string().into());
    let bundles = bundle.map(|path| path.as_os_str().to_owned());
    let arguments: Vec<OsString> = numbers.chain(bundles).collect();
    let arm = |name: &&str| {
        let target = child_of(name, arguments.clone())?;
        Ok(Arm::new(*name, target))
    };
    let arms = C::ARMS.iter().map(arm).collect::<anyhow::Result<_>>()?;
    let mut experiment = Experiment::new(C::NAME, arms, chapter::describe(bundle)?);
    experiment.repeats = cli.repeats;
    experiment.metrics = cli.chapter.metrics();
    let repeats = [("repeats", cli.repeats.into())];
    let parameters = parameters.into_iter().chain(repeats);
    let parameters = parameters.map(|(name, number)| (name.to_owned(), number.into()));
    experiment.parameters = parameters.collect();
    Ok(experiment)
}

fn show(bar: &ProgressBar, progress: Progress<'_>) {
    let within = match progress.total {
        0 => 0.0,
        total => progress.done as f64 / total as f64,
    };
    let share = (progress.processes_done as f64 + within) / progress.processes as f64;
    bar.set_position((100.0 * share) as u64);
    let how = match progress.traced {
        true => "counting system calls",
        false => "weighing",
    };
    bar.set_message(format!("{}: {how}", progress.arm));
}
