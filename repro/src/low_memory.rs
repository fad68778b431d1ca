//! Chapter `low-memory`: what the trick had bought.
//!
//! A LuaJIT with 32-bit GC pointers needs its objects below 2 GiB, where the break of a program that
//! isn't position independent grows too. C takes some heap, and then Lua makes objects until it has
//! "not enough memory", with the break free and blocked. It isn't an experiment of checkpoints, since
//! what counts is how far Lua came, so it has a parent of its own.

mod case;
mod flags;
mod judge;
mod measure;
mod memory;
mod randomisation;
mod report;
mod results;
mod work;

use crate::arm;
use crate::child::Child;
use crate::cli::Format;
use crate::drive::{INTERRUPTED, progress_bar, stop_on_signals};
use anyhow::Context;
use brk_hole::before_main::BeforeMain;
use clap::Parser;
use flags::Flags;
use heap_meter::experiment::Store;
use heap_meter::report::experiment_table;
use measure::{Ended, Measurement};
use results::Results;
use std::ffi::OsString;
use std::io::Write;
use std::process::ExitCode;

/// Name of the experiment, and of the binary.
const NAME: &str = "low-memory";

/// `low-memory`'s `main`: the parent's or the child's, whichever this process is.
pub fn main(trick: &BeforeMain) -> ExitCode {
    let status = if arm::is_child() {
        let arguments: Vec<OsString> = std::env::args_os().skip(1).collect();
        work::run(&arguments, &Child::new(trick)).map(|()| ExitCode::SUCCESS)
    } else {
        parent(&Flags::parse())
    };
    status.unwrap_or_else(|error| {
        eprintln!("{NAME}: {error:#}");
        ExitCode::FAILURE
    })
}

fn parent(flags: &Flags) -> anyhow::Result<ExitCode> {
    let store = flags.out.as_ref().map(Store::open).transpose()?;
    let stop = stop_on_signals()?;
    let mut measurement = Measurement::prepare(flags)?;

    let bar = progress_bar();
    // The first failure to write is kept: the runs go on, so that nothing measured is lost.
    let mut unwritten: Option<anyhow::Error> = None;
    let outcome = measurement.run(
        &stop,
        &mut |progress| {
            bar.set_position(100 * progress.done / progress.of);
            bar.set_message(format!("{}: {}", progress.arm, progress.case));
        },
        &mut |results| {
            if let Some(store) = &store
                && unwritten.is_none()
            {
                unwritten = keep(results, store).err();
            }
        },
    );
    bar.finish_and_clear();

    let results = &measurement.results;
    if results.runs().next().is_some() {
        print(results, flags.format)?;
        draw(results, flags, store.as_ref())?;
    }
    match outcome? {
        Ended::Interrupted { runs, of } => {
            let kept = match store {
                Some(_) if runs > 0 => "; finished runs are kept in the --out directory",
                _ => "",
            };
            eprintln!("{NAME}: interrupted after {runs} of {of} runs{kept}");
            Ok(ExitCode::from(INTERRUPTED))
        }
        Ended::Complete => match unwritten {
            Some(error) => Err(error).context("the results above are complete, but not all kept"),
            None => Ok(ExitCode::SUCCESS),
        },
    }
}

fn json(results: &Results) -> serde_json::Result<String> {
    Ok(serde_json::to_string_pretty(results)? + "\n")
}

fn keep(results: &Results, store: &Store) -> anyhow::Result<()> {
    store.keep_file(&format!("{NAME}.json"), json(results)?.as_bytes())?;
    Ok(())
}

fn print(results: &Results, format: Format) -> anyhow::Result<()> {
    let text = match format {
        Format::Table => experiment_table(&results.into()),
        Format::Json => json(results)?,
        Format::Csv => report::csv(results),
    };
    match std::io::stdout().write_all(text.as_bytes()) {
        // `low-memory | head -1` has got what it wanted.
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        other => other.context("can't write to standard output"),
    }
}

fn draw(results: &Results, flags: &Flags, store: Option<&Store>) -> anyhow::Result<()> {
    if flags.chart.is_none() && store.is_none() {
        return Ok(());
    }
    let Some(svg) = report::chart(results) else {
        return Ok(());
    };
    if let Some(path) = &flags.chart {
        std::fs::write(path, &svg).with_context(|| format!("can't write {}", path.display()))?;
    }
    if let Some(store) = store {
        store.keep_file(&format!("{NAME}.svg"), svg.as_bytes())?;
    }
    Ok(())
}
