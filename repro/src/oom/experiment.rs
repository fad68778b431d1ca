//! The runs of all arms, and then the reloads.

use super::flags::Flags;
use super::judge;
use super::results::{Arm, Ending, Probe, Reload, Results, Run, VoidRun, Weighed};
use super::run::{Observed, Outcome, observe};
use super::search::greatest_that_survives;
use super::task::{Task, Work};
use crate::arm::{CONTROL, HOLE, SHARED};
use anyhow::bail;
use heap_meter::environment::Environment;
use heap_meter::experiment::Stop;
use heap_meter::statistics::median;
use std::collections::BTreeMap;
use std::path::Path;

/// How often a run is tried whose condition couldn't be made. Where address randomisation puts the
/// break, half of them may be void.
const ATTEMPTS: u32 = 20;

/// What is going on, for a progress bar.
pub(super) struct Progress<'a> {
    pub(super) doing: &'a str,
    /// Contexts loaded.
    pub(super) loaded: u64,
    /// Contexts to load, of which there may be more than fit.
    pub(super) wanted: u64,
    /// How much of the budget is resident, or of the work done, whichever is more: 0 to 1.
    pub(super) share: f64,
}

pub(super) struct Experiment<'a> {
    flags: &'a Flags,
    bundle: &'a Path,
    stop: &'a Stop,
    progress: &'a mut dyn FnMut(Progress<'_>),
    results: Results,
}

impl<'a> Experiment<'a> {
    pub(super) fn new(
        flags: &'a Flags,
        bundle: &'a Path,
        environment: Environment,
        stop: &'a Stop,
        progress: &'a mut dyn FnMut(Progress<'_>),
    ) -> Self {
        let arms = [CONTROL, HOLE, SHARED].map(|name| Arm {
            name,
            runs: Vec::new(),
            void_runs: Vec::new(),
            reload: None,
        });
        let results = Results {
            experiment: "oom",
            environment,
            parameters: BTreeMap::from([
                ("budget_bytes".to_owned(), flags.budget.into()),
                ("locations".to_owned(), flags.locations.into()),
                ("limit".to_owned(), flags.limit.name().into()),
                ("repeats".to_owned(), flags.repeats.into()),
            ]),
            arms: arms.to_vec(),
            comparison: Vec::new(),
            findings: Vec::new(),
            notes: Vec::new(),
        };
        Self {
            flags,
            bundle,
            stop,
            progress,
            results,
        }
    }

    /// Runs it all. After every run `after_run` gets the results so far.
    pub(super) fn run(mut self, after_run: &mut dyn FnMut(&Results)) -> anyhow::Result<()> {
        for repeat in 1..=self.flags.repeats {
            for arm in self.turn(repeat) {
                let doing = format!(
                    "{}: run {repeat} of {}",
                    self.results.arms[arm].name, self.flags.repeats
                );
                let observed =
                    self.until_it_counts(arm, Work::Load(self.flags.locations), &doing)?;
                self.results.arms[arm].runs.push(run(observed));
                self.tell(after_run);
            }
        }
        for arm in 0..self.results.arms.len() {
            self.reload(arm)?;
            self.tell(after_run);
        }
        Ok(())
    }

    /// The order of the arms turns, so that a machine that grows slower meets all of them alike.
    fn turn(&self, repeat: u32) -> Vec<usize> {
        let arms = self.results.arms.len();
        let first = repeat as usize - 1;
        (0..arms).map(|arm| (arm + first) % arms).collect()
    }

    fn tell(&mut self, after_run: &mut dyn FnMut(&Results)) {
        self.results.comparison = judge::comparison(&self.results);
        self.results.findings = judge::findings(&self.results);
        after_run(&self.results);
    }

    /// Looks for the greatest configuration that survives a reload.
    fn reload(&mut self, arm: usize) -> anyhow::Result<()> {
        let Some(fits) = self.fits(arm) else {
            return Ok(());
        };
        let most = self.flags.locations;
        let mut probes = Vec::new();
        let name = self.results.arms[arm].name;
        // Two configurations in the place of one.
        let guess = ((fits / 2.0) as u64).max(1);
        let found = greatest_that_survives(guess, most, |locations| {
            let doing = format!("{name}: reload of {locations}");
            let observed = self.until_it_counts(arm, Work::Reload(locations), &doing)?;
            let survived = observed.ending == Ending::Done;
            probes.push(Probe {
                locations,
                loaded: observed.loaded,
                ending: observed.ending,
                limit: observed.limit,
            });
            anyhow::Ok(survived)
        });
        let (survives_locations, fails_locations) = found?;
        self.results.arms[arm].reload = Some(Reload {
            survives_locations,
            fails_locations,
            probes,
        });
        Ok(())
    }

    /// How many locations fit, or would by what one costs.
    fn fits(&self, arm: usize) -> Option<f64> {
        let runs = &self.results.arms[arm].runs;
        let fits = runs.iter().filter_map(|run| match run.ending {
            Ending::Done => Some(self.flags.budget as f64 / run.bytes_per_location?),
            _ => Some(run.locations as f64),
        });
        median(&fits.collect::<Vec<_>>())
    }

    fn note(&mut self, notes: &[String]) {
        for note in notes {
            self.results.note(note);
        }
    }

    fn until_it_counts(&mut self, arm: usize, work: Work, doing: &str) -> anyhow::Result<Observed> {
        let name = self.results.arms[arm].name;
        let task = Task {
            arm: name,
            work,
            budget: self.flags.budget,
            limit: self.flags.limit,
            bundle: self.bundle,
        };
        let mut last_reason = String::new();
        for _ in 0..ATTEMPTS {
            let outcome = observe(&task, self.stop, &mut |loaded, rss_bytes| {
                let done = loaded as f64 / work.contexts() as f64;
                let taken = rss_bytes as f64 / task.budget as f64;
                (self.progress)(Progress {
                    doing,
                    loaded,
                    wanted: work.contexts(),
                    share: done.max(taken).min(1.0),
                });
            });
            match outcome? {
                Outcome::Counts(observed) => {
                    self.note(&observed.notes);
                    return Ok(*observed);
                }
                Outcome::Void { reason, notes } => {
                    self.note(&notes);
                    last_reason.clone_from(&reason);
                    self.results.arms[arm].void_runs.push(VoidRun { reason });
                }
            }
        }
        bail!("none of {ATTEMPTS} runs of {name} counts, the last because: {last_reason}")
    }
}

fn run(observed: Observed) -> Run {
    let Observed {
        loaded,
        ending,
        process,
        limit,
        work_seconds,
        weighed,
        break_grown_bytes,
        notes: _,
    } = observed;
    Run {
        locations: loaded,
        ending,
        process,
        limit,
        work_seconds,
        bytes_per_location: bytes_per_location(&weighed),
        weighed,
        break_grown_bytes,
    }
}

/// Growth between the first and the last weighing.
fn bytes_per_location(weighed: &[Weighed]) -> Option<f64> {
    let (first, last) = (weighed.first()?, weighed.last()?);
    let locations = last.locations - first.locations;
    (locations > 0).then(|| (last.rss_bytes as f64 - first.rss_bytes as f64) / locations as f64)
}
