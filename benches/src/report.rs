//! A bench of side-by-side contests, from its command line to its exit status.

use std::fmt::Display;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use clap::Parser;
use comfy_table::{Cell, CellAlignment, Table};
use heap_meter::environment::Environment;
use heap_meter::statistics::quantile;
use human_text::Seconds;
use serde::Serialize;

use crate::figure::Figure;
use crate::side_by_side::{Contest, PairOutcome, Times};
use crate::surroundings;
use crate::{Mode, Options};

/// A bench that is running.
#[derive(Debug)]
pub struct Bench {
    options: Options,
    file: PathBuf,
    report: Report,
    skipped: bool,
}

/// What a bench found, as its JSON has it.
#[derive(Debug, Serialize)]
struct Report {
    bench: String,
    mode: Mode,
    environment: Environment,
    contests: Vec<PairOutcome>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    figures: Vec<Figure>,
    notes: Vec<String>,
}

impl Bench {
    /// Reads the command line. `target_tmp` is cargo's `CARGO_TARGET_TMPDIR`, beside which results
    /// are kept.
    ///
    /// # Panics
    ///
    /// When `target_tmp` has no parent, as `/` would have none.
    pub fn start(name: &str, target_tmp: &str) -> Self {
        let options = Options::parse();
        let target = Path::new(target_tmp).parent();
        let target = target.expect("cargo's directory for temporary files is below its target");
        let mut bench = Self {
            file: target.join("bench").join(format!("{name}.json")),
            report: Report {
                bench: name.to_owned(),
                mode: options.mode(),
                environment: surroundings::environment(),
                contests: Vec::new(),
                figures: Vec::new(),
                notes: Vec::new(),
            },
            options,
            skipped: false,
        };
        bench.say_if_busy();
        bench
    }

    /// How thoroughly to measure.
    pub fn mode(&self) -> Mode {
        self.report.mode
    }

    /// Whether a contest of this name is wanted.
    pub fn wants(&self, name: &str) -> bool {
        self.options.wants(name)
    }

    /// Says something that a reader of the figures has to know, and keeps it.
    pub fn note(&mut self, text: impl Into<String>) {
        let text = text.into();
        eprintln!("{}: {text}", self.report.bench);
        self.report.notes.push(text);
    }

    /// Says what is not measured here, and why. With `--strict` that counts as not met.
    pub fn skip(&mut self, what: &str, why: impl Display) {
        self.skipped = true;
        self.note(format!("skipped {what}: {why}"));
    }

    /// Adds what is known of the surroundings to the report.
    pub fn environment(&mut self, name: &str, value: impl Into<serde_json::Value>) {
        let value = value.into();
        self.report.environment.extra.insert(name.to_owned(), value);
    }

    /// Runs a contest, prints its figures and keeps them, with those before it.
    ///
    /// # Errors
    ///
    /// The contest's, or when the results can't be written.
    pub fn run(&mut self, contest: Contest<'_>, rounds: usize) -> anyhow::Result<()> {
        let name = contest.name().to_owned();
        let outcome = contest.run(rounds).with_context(|| name.clone())?;
        if self.mode() == Mode::Test {
            println!("Testing {name}\nSuccess\n");
            return Ok(());
        }
        println!("{}", text(&outcome));
        self.report.contests.push(outcome);
        self.keep()
    }

    /// Prints a figure and keeps it, with those before it.
    ///
    /// # Errors
    ///
    /// When the results can't be written.
    pub fn figure(&mut self, figure: Figure) -> anyhow::Result<()> {
        if self.mode() == Mode::Test {
            println!("Testing {}\nSuccess\n", figure.name);
            return Ok(());
        }
        println!("{figure}\n");
        self.report.figures.push(figure);
        self.keep()
    }

    /// The exit status: with `--strict`, 1 when a requirement wasn't met or couldn't be checked.
    pub fn finish(self) -> ExitCode {
        let nothing = self.report.contests.is_empty() && self.report.figures.is_empty();
        // A bench that was skipped as a whole leaves its reason; one that wasn't asked for doesn't.
        let wanted = self.options.filter.is_none() && self.mode() != Mode::Test;
        if self.skipped
            && nothing
            && wanted
            && let Err(error) = self.keep()
        {
            eprintln!("{}: {error:#}", self.report.bench);
            return ExitCode::FAILURE;
        }
        let contests = self.report.contests.iter();
        let ratios = contests.flat_map(|outcome| &outcome.comparisons);
        let figures = self.report.figures.iter().map(|figure| figure.met);
        let mut verdicts = ratios.map(|versus| versus.met).chain(figures);
        let missed = self.skipped || verdicts.any(|met| met == Some(false));
        if self.options.strict && missed {
            eprintln!("{}: a requirement is not met (--strict)", self.report.bench);
            return ExitCode::FAILURE;
        }
        ExitCode::SUCCESS
    }

    fn keep(&self) -> anyhow::Result<()> {
        let mut json = serde_json::to_string_pretty(&self.report)?;
        json.push('\n');
        let directory = self.file.parent().unwrap_or(Path::new("."));
        fs::create_dir_all(directory)
            .and_then(|()| fs::write(&self.file, json))
            .with_context(|| format!("can't write {}", self.file.display()))
    }

    fn say_if_busy(&mut self) {
        let cores = self.report.environment.logical_cpus.unwrap_or(1) as f64;
        let Some(load) = surroundings::load_average() else {
            return;
        };
        // The benches before this one make a load of 1 themselves.
        if self.mode() == Mode::Full && load > (0.75 * cores).max(1.5) {
            self.note(format!(
                "the machine was busy before this began (load average {load} on {cores} cores): \
                 take the figures for provisional"
            ));
        }
    }
}

/// A contest as people read it.
fn text(outcome: &PairOutcome) -> String {
    let mut table = Table::new();
    table.load_style(comfy_table::presets::NOTHING);
    let per = outcome.per.as_ref();
    let unit = per.map(|per| format!("per {}", per.unit));
    let titles = [
        Some(outcome.name.clone()),
        Some("median".into()),
        Some("range of runs".into()),
        unit,
    ];
    table.set_header(titles.into_iter().flatten());
    for arm in &outcome.arms {
        let mut cells = vec![
            Cell::new(&arm.name),
            right(Seconds(arm.median_seconds)),
            right(range(arm)),
        ];
        if per.is_some() {
            cells.push(match arm.seconds_per_unit {
                Some(seconds) => right(Seconds(seconds)),
                None => right("–"),
            });
        }
        table.add_row(cells);
    }
    let mut text: String = table
        .lines()
        .map(|line| format!("{}\n", line.trim_end()))
        .collect();
    for versus in &outcome.comparisons {
        text.push_str(&format!("{versus}\n"));
    }
    text
}

fn range(arm: &Times) -> String {
    match (quantile(&arm.seconds, 0.0), quantile(&arm.seconds, 1.0)) {
        (Some(least), Some(most)) => format!("{} – {}", Seconds(least), Seconds(most)),
        _ => String::from("–"),
    }
}

fn right(content: impl ToString) -> Cell {
    Cell::new(content).set_alignment(CellAlignment::Right)
}
