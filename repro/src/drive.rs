//! Both sides of a chapter: the parent that measures, the child that works.

use crate::arm;
use crate::chapter::Chapter;
use crate::child::Child;
use crate::cli::{Cli, Format};
use crate::surroundings;
use anyhow::Context;
use brk_hole::before_main::BeforeMain;
use heap_meter::experiment::{
    Arm, Experiment, ExperimentError, Progress, Results, Stop, Store, StoreError,
};
use heap_meter::report;
use heap_meter::target::{Stream, Target};
use indicatif::{ProgressBar, ProgressStyle};
use std::ffi::OsString;
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

/// Status of a run that Ctrl-C ended: 128 + SIGINT, as a shell has it.
pub(crate) const INTERRUPTED: u8 = 130;

/// A chapter's `main`: the parent's or the child's, whichever this process is.
pub fn main<C: Chapter>(trick: &BeforeMain) -> ExitCode {
    if arm::is_child() {
        return child::<C>(trick);
    }
    let cli = Cli::<C>::from_command_line();
    match parent(&cli) {
        Ok(status) => status,
        Err(error) => {
            eprintln!("{}: {error:#}", C::NAME);
            ExitCode::FAILURE
        }
    }
}

fn child<C: Chapter>(trick: &BeforeMain) -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().skip(1).collect();
    match C::work(&arguments, &Child::new(trick)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{}: {error:#}", C::NAME);
            ExitCode::FAILURE
        }
    }
}

fn parent<C: Chapter>(cli: &Cli<C>) -> anyhow::Result<ExitCode> {
    let store = cli.out.as_ref().map(Store::open).transpose()?;
    let bundle = cli.chapter.bundle().map(surroundings::bundle).transpose()?;
    let stop = stop_on_signals()?;
    let experiment = experiment(cli, bundle.as_deref())?;

    let bar = progress_bar();
    // The first failure to write is kept: the runs go on, so that nothing measured is lost.
    let mut unwritten: Option<StoreError> = None;
    let mut latest: Option<Results> = None;
    let outcome = experiment.run(
        &stop,
        &mut |progress| show(&bar, progress),
        &mut |results| {
            let mut results = results.clone();
            results.findings = cli.chapter.findings(&results);
            if let Some(store) = &store
                && unwritten.is_none()
            {
                unwritten = store.keep(&results).err();
            }
            latest = Some(results);
        },
    );
    bar.finish_and_clear();

    if let Some(results) = &latest {
        print(results, cli.format)?;
        draw(results, cli, store.as_ref())?;
    }
    if let Err(ExperimentError::Interrupted { .. }) = outcome {
        eprintln!("{}: {}", C::NAME, interrupted(&outcome, store.is_some()));
        return Ok(ExitCode::from(INTERRUPTED));
    }
    outcome?;
    if let Some(error) = unwritten {
        return Err(error).context("the results above are complete, but not all were kept");
    }
    Ok(ExitCode::SUCCESS)
}

fn interrupted(outcome: &Result<Results, ExperimentError>, stored: bool) -> String {
    let what = outcome
        .as_ref()
        .err()
        .map(ToString::to_string)
        .unwrap_or_default();
    let kept = if stored {
        "; finished runs are kept in the --out directory"
    } else {
        ""
    };
    format!("{what}{kept}")
}

fn experiment<C: Chapter>(cli: &Cli<C>, bundle: Option<&Path>) -> anyhow::Result<Experiment> {
    let this = std::env::current_exe().context("can't find this program's own file")?;
    let arms = C::ARMS.iter().map(|name| Arm {
        name: (*name).to_owned(),
        target: Target::new(&this)
            .args(cli.chapter.child_arguments(bundle))
            .env(arm::VARIABLE, name)
            .stdin(Stream::Null)
            .stdout(Stream::Null),
    });
    let mut parameters = cli.chapter.parameters();
    parameters.insert("repeats".to_owned(), cli.repeats.into());
    Ok(Experiment {
        name: C::NAME.to_owned(),
        arms: arms.collect(),
        repeats: cli.repeats,
        metrics: cli.chapter.metrics(),
        environment: surroundings::describe(bundle)?,
        parameters,
    })
}

pub(crate) fn stop_on_signals() -> anyhow::Result<Stop> {
    let stop = Stop::new();
    for signal in [libc::SIGINT, libc::SIGTERM, libc::SIGHUP] {
        signal_hook::flag::register(signal, stop.flag())
            .with_context(|| format!("can't handle signal {signal}"))?;
    }
    Ok(stop)
}

/// A bar on stderr; indicatif hides it when that is no terminal.
pub(crate) fn progress_bar() -> ProgressBar {
    let style = ProgressStyle::with_template("{bar:30} {pos:>3} % {elapsed} {msg}")
        .unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(100).with_style(style)
}

fn show(bar: &ProgressBar, progress: Progress<'_>) {
    let within = match progress.total {
        0 => 0.0,
        total => progress.done as f64 / total as f64,
    };
    let share = (progress.processes_done as f64 + within) / progress.processes as f64;
    bar.set_position((100.0 * share) as u64);
    let how = if progress.traced {
        "counting system calls"
    } else {
        "weighing"
    };
    bar.set_message(format!("{}: {how}", progress.arm));
}

fn print(results: &Results, format: Format) -> anyhow::Result<()> {
    let text = match format {
        Format::Table => report::experiment_table(results),
        Format::Json => report::experiment_json(results)?,
        Format::Csv => report::experiment_csv(results)?,
    };
    match std::io::stdout().write_all(text.as_bytes()) {
        // `locations | head -1` has got what it wanted.
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        other => other.context("can't write to standard output"),
    }
}

fn draw<C: Chapter>(results: &Results, cli: &Cli<C>, store: Option<&Store>) -> anyhow::Result<()> {
    if cli.chart.is_none() && store.is_none() {
        return Ok(());
    }
    let Some(svg) = report::chart::memory_over_checkpoints(results) else {
        return Ok(());
    };
    if let Some(path) = &cli.chart {
        std::fs::write(path, &svg).with_context(|| format!("can't write {}", path.display()))?;
    }
    if let Some(store) = store {
        store.keep_file(&format!("{}.svg", C::NAME), svg.as_bytes())?;
    }
    Ok(())
}
