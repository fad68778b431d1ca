//! `brkhole compare`: a command with its break free and with it blocked.

mod findings;
mod map;

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context;
use heap_growth::MemoryLayout;
use heap_meter::environment::Environment;
use heap_meter::experiment::{
    Arm, Condition, Experiment, ExperimentError, Progress, Results, StopFlag, Store, StoreError,
    metrics,
};
use heap_meter::report::{self, Figure, chart};
use indicatif::ProgressBar;
use memory_trace::{Stopped, Stream, Target};

use crate::cli::{CompareArguments, Format};
use crate::{output, signals};

/// The break is left free.
const CONTROL: &str = "control";
/// The break is blocked, at every exec of the tree.
const HOLE: &str = "hole";

/// Status of a comparison that a signal ended: 128 + SIGINT, as a shell has it.
const INTERRUPTED: u8 = 130;

pub(crate) fn run(arguments: &CompareArguments) -> anyhow::Result<ExitCode> {
    output::check_writable(
        [arguments.chart.as_ref(), arguments.map.as_ref(), arguments.html.as_ref()],
        arguments.output.file.as_ref(),
        &[],
    )?;
    let store = arguments.out.as_ref().map(Store::open).transpose()?;
    let experiment = experiment(arguments)?;
    let stop = StopFlag::new();
    let flag = stop.flag();
    signals::Ends::listen()?.each(move |_| flag.store(true, std::sync::atomic::Ordering::Relaxed));

    let bar = output::bar("{bar:30} {pos}/{len} {elapsed} {msg}", 0);
    // The first failure to write is kept: the runs go on, so that nothing measured is lost.
    let mut unwritten: Option<StoreError> = None;
    let mut latest: Option<Results> = None;
    let outcome = experiment.run_commands(
        &BTreeMap::from([(HOLE.to_owned(), punched())]),
        &stop,
        &mut |progress| show(&bar, progress),
        &mut |results| {
            let mut results = results.clone();
            results.findings = findings::of(&results);
            results.notes.extend(findings::failure(&results));
            if let (Some(store), None) = (&store, &unwritten) {
                unwritten = store.keep(&results).err();
            }
            latest = Some(results);
        },
    );
    // The results are written whatever becomes of the map.
    let maps = match (&arguments.map, &outcome) {
        (Some(_), Ok(_)) => {
            bar.set_message("seeing where memory lies");
            map::of(&experiment.arms, &stop)
        }
        _ => Ok(None),
    };
    bar.finish_and_clear();

    if let Some(results) = &latest {
        write(results, maps.as_ref().ok().and_then(Option::as_deref), arguments)?;
    }
    if let Err(error @ ExperimentError::Interrupted { .. }) = &outcome {
        eprintln!("brkhole: {error}");
        return Ok(ExitCode::from(INTERRUPTED));
    }
    outcome?;
    if maps?.is_none() && arguments.map.is_some() {
        eprintln!("brkhole: no map was drawn: interrupted");
        return Ok(ExitCode::from(INTERRUPTED));
    }
    match unwritten {
        Some(error) => Err(error).context("the results above are complete, but not all were kept"),
        None => Ok(ExitCode::SUCCESS),
    }
}

fn experiment(arguments: &CompareArguments) -> anyhow::Result<Experiment> {
    let (program, words) = arguments.command.split_first().context("no command was given")?;
    let target = Target::new(program)
        .args(words)
        .stdin(Stream::Null)
        .stdout(Stream::Null)
        .stderr(Stream::Null);
    let arms = [CONTROL, HOLE].map(|name| Arm::new(name, target.clone()));
    let mut experiment = Experiment::new("compare", arms.into(), Environment::here());
    experiment.repeats = arguments.repeats;
    experiment.metrics = metrics::of_commands();
    let command = output::command_line(&arguments.command);
    experiment.parameters = BTreeMap::from([
        ("command".to_owned(), command.into()),
        ("repeats".to_owned(), arguments.repeats.into()),
    ]);
    Ok(experiment)
}

/// A hole at the break of every program of the arm.
fn punched() -> Condition {
    Arc::new(|stopped: Stopped| {
        let punched = brk_hole::RemoteHole::punch(stopped.tid);
        punched.map(drop).map_err(|error| error.to_string())
    })
}

fn write(
    results: &Results,
    maps: Option<&[(String, MemoryLayout)]>,
    arguments: &CompareArguments,
) -> anyhow::Result<()> {
    let text = match (arguments.output.format, maps) {
        (Format::Table, _) => {
            output::fitted(&report::experiment_table(results), arguments.output.file.as_deref())
        }
        (Format::Json, Some(maps)) => report::json_with_maps(results, maps)?,
        (Format::Json, None) => report::json(results)?,
        (Format::Csv, _) => report::experiment_csv(results)?,
    };
    output::write(&text, &arguments.output)?;
    if let Some(path) = &arguments.chart {
        match chart::memory_over_checkpoints(results) {
            Some(svg) => output::to_file(path, &svg)?,
            None => eprintln!("brkhole: no chart was drawn: no run was weighed"),
        }
    }
    let command = output::command_line(&arguments.command);
    let map = maps.filter(|maps| !maps.is_empty()).map(|maps| output::map_of_arms(maps, &command));
    if let (Some(path), Some(_)) = (&arguments.map, maps) {
        match &map {
            Some(svg) => output::to_file(path, svg)?,
            None => eprintln!("brkhole: no map was drawn: no process grew"),
        }
    }
    if let Some(path) = &arguments.html {
        let mut page = output::page(report::experiment_table(results));
        let chart = chart::memory_over_checkpoints(results);
        page.figures = chart.into_iter().chain(map).map(Figure::Chart).collect();
        page.environment = Some(results.environment.clone());
        output::to_file(path, &page.html())?;
    }
    Ok(())
}

fn show(bar: &ProgressBar, progress: Progress<'_>) {
    bar.set_length(progress.processes);
    bar.set_position(progress.processes_done);
    let how = match progress.traced {
        true => "counting system calls",
        false => "weighing",
    };
    bar.set_message(format!("{}: {how}", progress.arm));
}
