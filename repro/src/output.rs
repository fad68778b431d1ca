//! Results while they are measured and afterwards: shown, and kept.

use anyhow::Context;
use clap::ValueEnum;
use heap_meter::environment::Environment;
use heap_meter::experiment::{ExperimentError, Results, RunError, StopFlag, Store};
use heap_meter::report::{self, Figure, Page, Sections};
use human_text::shell_words;
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Status of a run that Ctrl-C ended: 128 + SIGINT, as a shell has it.
const INTERRUPTED: u8 = 130;

/// Results as a binary shows and keeps them.
pub(crate) trait Report: Serialize {
    /// For people.
    fn table(&self) -> Sections;

    /// For spreadsheets.
    fn csv(&self) -> anyhow::Result<String>;

    /// A picture, where there is one of them.
    fn chart(&self) -> Option<String> {
        None
    }

    /// Where it was measured.
    fn environment(&self) -> &Environment;
}

impl Report for Results {
    fn table(&self) -> Sections {
        report::experiment_table(self)
    }

    fn csv(&self) -> anyhow::Result<String> {
        Ok(report::experiment_csv(self)?)
    }

    fn chart(&self) -> Option<String> {
        report::chart::memory_over_checkpoints(self)
    }

    fn environment(&self) -> &Environment {
        &self.environment
    }
}

/// How a binary's results are shown, and where they are kept.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct OutputFlags {
    /// How results are printed on standard output
    #[arg(long, value_enum, default_value_t = ReportFormat::Table)]
    format: ReportFormat,

    /// Write the report as one HTML file, which can be attached to a ticket (- for standard output,
    /// in place of the table)
    #[arg(long, value_name = "FILE.html")]
    html: Option<PathBuf>,

    /// Keep the raw results and the chart in this directory; written after every run
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

/// How results are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum ReportFormat {
    /// For people
    Table,
    /// Everything, for programs
    Json,
    /// Rows of figures, for spreadsheets
    Csv,
}

impl OutputFlags {
    /// Measures, which gives the results so far after every run; keeps them each time, and shows the
    /// last ones, however the measurement ended.
    pub(crate) fn of<R: Report>(
        &self,
        name: &str,
        chart: Option<&Path>,
        measure: impl FnOnce(&StopFlag, &ProgressBar, &mut dyn FnMut(R)) -> anyhow::Result<()>,
    ) -> anyhow::Result<ExitCode> {
        let on_stdout = [chart, self.html.as_deref()].into_iter().flatten();
        let on_stdout = on_stdout.filter(|path| is_stdout(path)).count();
        anyhow::ensure!(on_stdout <= 1, "only one thing can be written to standard output (-)");
        let store = self.out.as_ref().map(Store::open).transpose()?;
        let stop = stop_on_signals()?;
        // On stderr; indicatif hides it when that is no terminal.
        let style = ProgressStyle::with_template("{bar:30} {pos:>3} % {elapsed} {msg}");
        let style = style.unwrap_or_else(|_| ProgressStyle::default_bar());
        let bar = ProgressBar::new(100).with_style(style);
        let keep = |results: &R, store: &Store| -> anyhow::Result<()> {
            let json = report::json(results)?;
            store.keep_file(&format!("{name}.json"), json.as_bytes())?;
            Ok(())
        };
        // The first failure to write is kept: the runs go on, so that nothing measured is lost.
        let mut unwritten: Option<anyhow::Error> = None;
        let mut latest: Option<R> = None;
        let outcome = measure(&stop, &bar, &mut |results| {
            if let Some(store) = &store
                && unwritten.is_none()
            {
                unwritten = keep(&results, store).err();
            }
            latest = Some(results);
        });
        bar.finish_and_clear();

        if let Some(results) = &latest {
            if on_stdout == 0 {
                self.print(results)?;
            }
            let svg = results.chart();
            if let (Some(path), Some(svg)) = (chart, &svg) {
                write(path, svg)?;
            }
            if let (Some(store), Some(svg)) = (&store, &svg) {
                store.keep_file(&format!("{name}.svg"), svg.as_bytes())?;
            }
            if let Some(path) = &self.html {
                let program = format!("{name} {}", env!("CARGO_PKG_VERSION"));
                let typed = shell_words(std::env::args_os());
                let mut page = Page::new(results.table(), &program, typed);
                page.figures.extend(svg.map(Figure::Chart));
                page.environment = Some(results.environment().clone());
                write(path, &page.html())?;
            }
        }
        match (outcome, unwritten) {
            (Err(error), _) if is_interruption(&error) => {
                let kept = match (store, latest) {
                    (Some(_), Some(_)) => "; finished runs are kept in the --out directory",
                    _ => "",
                };
                eprintln!("{name}: {error}{kept}");
                Ok(ExitCode::from(INTERRUPTED))
            }
            (Err(error), _) => Err(error),
            (Ok(()), Some(error)) => {
                Err(error).context("the results above are complete, but not all were kept")
            }
            (Ok(()), None) => Ok(ExitCode::SUCCESS),
        }
    }

    fn print(&self, results: &impl Report) -> anyhow::Result<()> {
        let text = match self.format {
            ReportFormat::Table => {
                report::fit(&results.table().to_string(), report::stdout_columns())
            }
            ReportFormat::Json => report::json(results)?,
            ReportFormat::Csv => results.csv()?,
        };
        write(Path::new(STDOUT), &text)
    }
}

/// Stands for standard output where a file may be named.
const STDOUT: &str = "-";

fn is_stdout(path: &Path) -> bool {
    path == Path::new(STDOUT)
}

fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    if is_stdout(path) {
        return match std::io::stdout().write_all(text.as_bytes()) {
            // `locations | head -1` has got what it wanted.
            Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
            other => other.context("can't write to standard output"),
        };
    }
    std::fs::write(path, text).with_context(|| format!("can't write {}", path.display()))
}

fn is_interruption(error: &anyhow::Error) -> bool {
    let interrupted = |error| matches!(error, &ExperimentError::Interrupted { .. });
    error.downcast_ref().is_some_and(interrupted)
        || matches!(error.downcast_ref(), Some(RunError::Interrupted))
}

fn stop_on_signals() -> anyhow::Result<StopFlag> {
    let stop = StopFlag::new();
    for signal in [libc::SIGINT, libc::SIGTERM, libc::SIGHUP] {
        signal_hook::flag::register(signal, stop.flag())
            .with_context(|| format!("can't handle signal {signal}"))?;
    }
    Ok(stop)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PYTHON: &str = include_str!("../../runs/brkhole/compare-python.json");
    const LOCATIONS: &str = include_str!("../../runs/locations.json");

    /// The answer of recorded runs, with what is changed of them.
    fn answer(json: &str, change: impl FnOnce(&mut Results)) -> String {
        let mut results: Results = serde_json::from_str(json).unwrap();
        change(&mut results);
        results.table().to_string().lines().next().unwrap().to_owned()
    }

    #[test]
    fn memory_that_stayed_was_kept() {
        let said = answer(PYTHON, |_| ());
        assert!(said.starts_with("blocked: python3 kept 128 MiB more than free, 136 "), "{said}");
        assert!(said.ends_with("(5 runs each)"), "{said}");
    }

    #[test]
    fn each_arm_is_told_of() {
        let said = answer(LOCATIONS, |_| ());
        let (hole, shared) = said.split_once("; ").unwrap();
        assert!(hole.starts_with("no difference: locations took 92."), "{said}");
        assert!(shared.starts_with("shared: locations took 81.5 MiB less than free"), "{said}");
    }

    #[test]
    fn what_the_runs_do_not_show_is_no_difference() {
        let unsure = answer(PYTHON, |results| {
            results.comparison.iter_mut().for_each(|row| row.ratio_ci95 = Some([0.5, 20.0]));
        });
        assert!(unsure.starts_with("no sure difference: python3 took"), "{unsure}");
        let few = answer(PYTHON, |results| {
            results.arms.iter_mut().for_each(|arm| arm.runs.truncate(1));
        });
        assert!(few.ends_with("(1 run each, too few to be sure)"), "{few}");
        let failed = answer(PYTHON, |results| {
            results.arms[0].runs[0].facts.insert("exit".to_owned(), "code 3".to_owned());
        });
        assert!(failed.ends_with("(5 runs each, ended with code 3)"), "{failed}");
    }
}
