//! A bench of side-by-side contests, from its command line to its exit status.

use crate::kernel::Processors;
use crate::side_by_side::{Contest, PairOutcome, Times};
use crate::{Mode, Options, program};
use anyhow::Context;
use clap::Parser;
use heap_meter::environment::Environment;
use heap_meter::report::{Column, NONE, json, rows_table};
use heap_meter::statistics::quantile;
use human_text::{Bytes, Seconds};
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt::{self, Display};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// What a bench does: it gets a directory of its own that is removed afterwards.
pub type Work = fn(&mut Bench, &Path) -> anyhow::Result<()>;

/// A bench's `main`: reads the command line, runs it, tells what went wrong. `target_tmp` is cargo's
/// `CARGO_TARGET_TMPDIR`, beside which results are kept.
pub fn main(name: &str, target_tmp: &str, bench: Work) -> ExitCode {
    main_with_roles(name, target_tmp, |_, _| Ok(ExitCode::FAILURE), bench)
}

/// The same of a bench that runs itself again, in the roles that `role` knows.
pub fn main_with_roles(
    name: &str,
    target_tmp: &str,
    role: fn(&str, &[OsString]) -> anyhow::Result<ExitCode>,
    bench: Work,
) -> ExitCode {
    let done = match program::role() {
        Some((taken, arguments)) => role(&taken, &arguments),
        None => {
            tempfile::tempdir_in(target_tmp).context("can't make a directory").and_then(|place| {
                let mut running = Bench::start(name, target_tmp);
                bench(&mut running, place.path())?;
                running.finish()
            })
        }
    };
    done.unwrap_or_else(|error| {
        eprintln!("{name}: {error:#}");
        ExitCode::FAILURE
    })
}

#[derive(Debug)]
pub struct Bench {
    options: Options,
    target: PathBuf,
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
    fn start(name: &str, target_tmp: &str) -> Self {
        let options = Options::parse();
        let mut bench = Self {
            target: Path::new(target_tmp).join(".."),
            report: Report {
                bench: name.to_owned(),
                mode: options.mode(),
                environment: program::environment(),
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

    pub fn mode(&self) -> Mode {
        self.report.mode
    }

    /// How much to do: fully, for CI, or only to see that it works.
    pub fn by_mode<T>(&self, full: T, quick: T, test: T) -> T {
        match self.mode() {
            Mode::Full => full,
            Mode::Quick => quick,
            Mode::Test => test,
        }
    }

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

    /// The command, as it was built for release; without it `what` is skipped.
    pub fn brkhole(&mut self, what: &str) -> Option<PathBuf> {
        let command = self.target.join("release/brkhole");
        if !command.exists() {
            self.skip(what, "no command (cargo build --release -p brkhole)");
            return None;
        }
        Some(command)
    }

    /// Keeps to one processor if that is wanted; where it can't be, `what` is skipped.
    pub fn processors(&mut self, what: &str, one: bool) -> Option<Processors> {
        match Processors::keep_to(one) {
            Ok(kept) => Some(kept),
            Err(reason) => {
                self.skip(what, format!("can't keep to one processor: {reason}"));
                None
            }
        }
    }

    /// Adds what is known of the surroundings to the report.
    pub fn environment(&mut self, name: &str, value: impl Into<serde_json::Value>) {
        let value = value.into();
        self.report.environment.extra.insert(name.to_owned(), value);
    }

    /// Runs a contest, prints its figures and keeps them, with those before it.
    ///
    /// # Errors
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
    fn finish(self) -> anyhow::Result<ExitCode> {
        let nothing = self.report.contests.is_empty() && self.report.figures.is_empty();
        // A bench that was skipped as a whole leaves its reason; one that wasn't asked for doesn't.
        let wanted = self.options.filter.is_none() && self.mode() != Mode::Test;
        if self.skipped && nothing && wanted {
            self.keep()?;
        }
        let contests = self.report.contests.iter();
        let ratios = contests.flat_map(|outcome| &outcome.comparisons);
        let figures = self.report.figures.iter().map(|figure| figure.met);
        let mut verdicts = ratios.map(|versus| versus.met).chain(figures);
        let missed = self.skipped || verdicts.any(|met| met == Some(false));
        if self.options.strict && missed {
            anyhow::bail!("a requirement is not met (--strict)");
        }
        Ok(ExitCode::SUCCESS)
    }

    fn keep(&self) -> anyhow::Result<()> {
        let directory = self.target.join("bench");
        let file = directory.join(format!("{}.json", self.report.bench));
        let json = json(&self.report)?;
        fs::create_dir_all(directory)
            .and_then(|()| fs::write(&file, json))
            .with_context(|| format!("can't write {}", file.display()))
    }

    fn say_if_busy(&mut self) {
        let cores = self.report.environment.logical_cpus.unwrap_or(1) as f64;
        let Some(load) = program::load_average() else {
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
    let per = outcome.per.as_ref();
    let unit = per.map(|per| format!("per {}", per.unit));
    let mut columns = vec![
        Column::Left(outcome.name.as_str()),
        Column::Right("median"),
        Column::Right("range of runs"),
    ];
    columns.extend(unit.as_deref().map(Column::Right));
    let rows: Vec<_> = outcome
        .arms
        .iter()
        .map(|arm| {
            let mut cells =
                vec![arm.name.to_owned(), Seconds(arm.median_seconds).to_string(), range(arm)];
            cells.extend(per.map(|_| match arm.seconds_per_unit {
                Some(seconds) => Seconds(seconds).to_string(),
                None => NONE.to_owned(),
            }));
            cells
        })
        .collect();
    let mut text = rows_table(&columns, &rows);
    for versus in &outcome.comparisons {
        text.push_str(&format!("{versus}\n"));
    }
    text
}

fn range(arm: &Times) -> String {
    match (quantile(&arm.seconds, 0.0), quantile(&arm.seconds, 1.0)) {
        (Some(least), Some(most)) => format!("{} – {}", Seconds(least), Seconds(most)),
        _ => NONE.to_owned(),
    }
}

/// A number of bytes that must not be passed, for what is no matter of time: what was found, and how
/// much it may be.
#[derive(Clone, Debug, Serialize)]
pub struct Figure {
    pub name: String,
    pub parameters: BTreeMap<String, Value>,
    pub bytes: u64,
    pub at_most_bytes: Option<u64>,
    /// Whether it is; `None` when nothing is required.
    pub met: Option<bool>,
}

impl Figure {
    /// A figure of which nothing is required.
    pub fn new(name: impl Into<String>, bytes: u64) -> Self {
        Self {
            name: name.into(),
            parameters: BTreeMap::new(),
            bytes,
            at_most_bytes: None,
            met: None,
        }
    }

    #[must_use]
    pub fn parameter(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.parameters.insert(name.to_owned(), value.into());
        self
    }

    /// It has to be at most this.
    #[must_use]
    pub fn at_most(mut self, bytes: u64) -> Self {
        self.at_most_bytes = Some(bytes);
        self.met = Some(self.bytes <= bytes);
        self
    }
}

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.name, Bytes(self.bytes))?;
        for (name, value) in &self.parameters {
            write!(f, ", {name} {value}")?;
        }
        if let (Some(limit), Some(met)) = (self.at_most_bytes, self.met) {
            let verdict = if met { "met" } else { "NOT MET" };
            write!(f, "; required at most {}: {verdict}", Bytes(limit))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_itself_is_allowed() {
        let figure = |bytes| Figure::new("peak", bytes).parameter("calls", 7);
        assert_eq!(figure(2048).met, None);
        assert_eq!(figure(2048).at_most(2048).met, Some(true));
        let passed = figure(2049).at_most(2048);
        assert_eq!(passed.met, Some(false));
        let text = passed.to_string();
        assert!(text.starts_with("peak: 2"), "{text}");
        assert!(text.contains("calls 7; required at most 2"), "{text}");
        assert!(text.ends_with(": NOT MET"), "{text}");
    }
}
