//! Chapter `oom`: a real OOM kill, safely.
//!
//! The case began with the OOM killer. Here each child is alone in a memory cgroup of its own and
//! loads contexts until the kernel ends it; or, under a resource limit, until OpenSSL gets no
//! memory. How many locations fit a budget, with the break free and blocked, and with the bundle
//! parsed once; and how many of them survive a reload, when old and new ones are alive together.

mod board;
mod experiment;
mod flags;
mod judge;
mod report;
mod reserve;
mod results;
mod run;
mod search;
mod task;
mod work;

pub use reserve::Reserve;

use crate::cli::Format;
use crate::drive::{INTERRUPTED, progress_bar, stop_on_signals};
use crate::memory_limit::keeper;
use crate::{arm, surroundings};
use anyhow::Context;
use brk_hole::before_main::BeforeMain;
use clap::Parser;
use experiment::{Experiment, Progress};
use flags::Flags;
use heap_meter::experiment::{Store, StoreError};
use heap_meter::units::thousands;
use indicatif::ProgressBar;
use results::Results;
use run::Interrupted;
use std::io::{self, Write};
use std::process::ExitCode;

/// The `main` of the parent, of a child, or of a keeper, whichever this process is.
pub fn main(trick: &BeforeMain) -> ExitCode {
    if keeper::is_keeper() {
        return keeper::main();
    }
    if arm::is_child() {
        return work::main(trick);
    }
    let flags = Flags::parse();
    match parent(&flags) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let kept = match (error.is::<Interrupted>(), &flags.out) {
                (true, Some(_)) => "; finished runs are kept in the --out directory",
                _ => "",
            };
            eprintln!("oom: {error:#}{kept}");
            match error.downcast_ref::<Interrupted>() {
                Some(Interrupted) => ExitCode::from(INTERRUPTED),
                None => ExitCode::FAILURE,
            }
        }
    }
}

fn parent(flags: &Flags) -> anyhow::Result<()> {
    let store = flags.out.as_ref().map(Store::open).transpose()?;
    let bundle = surroundings::bundle(flags.bundle.as_deref())?;
    let stop = stop_on_signals()?;
    let environment = surroundings::describe(Some(&bundle))?;

    let bar = progress_bar();
    let mut progress = |progress: Progress<'_>| show(&bar, &progress);
    let experiment = Experiment::new(flags, &bundle, environment, &stop, &mut progress);
    // The first failure to write is kept: the runs go on, so that nothing measured is lost.
    let mut unwritten: Option<anyhow::Error> = None;
    let mut latest: Option<Results> = None;
    let outcome = experiment.run(&mut |results| {
        if let Some(store) = &store
            && unwritten.is_none()
        {
            unwritten = keep(store, results).err();
        }
        latest = Some(results.clone());
    });
    bar.finish_and_clear();

    if let Some(results) = &latest {
        print(results, flags.format)?;
    }
    outcome?;
    match unwritten {
        Some(error) => Err(error).context("the results above are complete, but not all were kept"),
        None => Ok(()),
    }
}

fn keep(store: &Store, results: &Results) -> anyhow::Result<()> {
    let json = serde_json::to_vec_pretty(results)?;
    let name = format!("{}.json", results.experiment);
    let kept: Result<_, StoreError> = store.keep_file(&name, &json);
    kept?;
    Ok(())
}

fn show(bar: &ProgressBar, progress: &Progress<'_>) {
    bar.set_position((100.0 * progress.share) as u64);
    bar.set_message(format!(
        "{}: {} of {} contexts",
        progress.doing,
        thousands(progress.loaded),
        thousands(progress.wanted)
    ));
}

fn print(results: &Results, format: Format) -> anyhow::Result<()> {
    let text = match format {
        Format::Table => report::table(results),
        Format::Json => serde_json::to_string_pretty(results)? + "\n",
        Format::Csv => report::csv(results),
    };
    match io::stdout().write_all(text.as_bytes()) {
        // `oom | head -1` has got what it wanted.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other.context("can't write to standard output"),
    }
}
