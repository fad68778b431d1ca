//! The runs of all arms, and then the reloads.

use super::flags::{NAME, OomFlags};
use super::results::{LoadRun, OomArm, OomResults, ReloadBracket, ReloadProbe, RunEnd};
use super::run::observe;
use super::search::greatest_that_survives;
use super::task::Task;
use super::{comparison, judge};
use crate::arm::{CONTROL, HOLE, SHARED};
use heap_meter::environment::Environment;
use heap_meter::experiment::{StopFlag, order, until_valid};
use heap_meter::statistics::median;
use human_text::thousands;
use indicatif::ProgressBar;
use std::collections::BTreeMap;
use std::path::Path;

/// Runs it all. After every run `after_run` gets the results so far.
pub(super) fn run(
    flags: &OomFlags,
    bundle: &Path,
    environment: Environment,
    stop: &StopFlag,
    bar: &ProgressBar,
    after_run: &mut dyn FnMut(OomResults),
) -> anyhow::Result<()> {
    let parameters = BTreeMap::from([
        ("budget_bytes".to_owned(), flags.budget.into()),
        ("locations".to_owned(), flags.locations.into()),
        ("limit".to_owned(), flags.limit.name().into()),
        ("repeats".to_owned(), flags.repeats.into()),
    ]);
    let arms = [CONTROL, HOLE, SHARED].map(OomArm::new).into();
    let mut under_way = UnderWay {
        flags,
        bundle,
        stop,
        bar,
        results: OomResults::new(NAME, environment, parameters, arms),
    };
    let arms = under_way.results.arms.len();
    for repeat in 0..flags.repeats {
        for arm in order(arms, repeat) {
            let doing = format!("run {} of {}", repeat + 1, flags.repeats);
            let run = under_way.one(arm, flags.locations, false, &doing)?;
            under_way.results.arms[arm].loads.runs.push(run);
            after_run(under_way.judged());
        }
    }
    for arm in 0..arms {
        under_way.reload(arm)?;
        after_run(under_way.judged());
    }
    Ok(())
}

struct UnderWay<'a> {
    flags: &'a OomFlags,
    bundle: &'a Path,
    stop: &'a StopFlag,
    bar: &'a ProgressBar,
    results: OomResults,
}

impl UnderWay<'_> {
    fn judged(&mut self) -> OomResults {
        self.results.comparison = comparison::rows(&self.results);
        self.results.findings = judge::findings(&self.results);
        self.results.clone()
    }

    /// Looks for the greatest configuration that survives a reload.
    fn reload(&mut self, arm: usize) -> anyhow::Result<()> {
        let Some(fits) = self.fits(arm) else {
            return Ok(());
        };
        let mut probes = Vec::new();
        // Two configurations in the place of one.
        let guess = ((fits / 2.0) as u64).max(1);
        let found = greatest_that_survives(guess, self.flags.locations, |locations| {
            let doing = format!("reload of {locations}");
            let run = self.one(arm, locations, true, &doing)?;
            let survived = run.ending == RunEnd::Done;
            probes.push(ReloadProbe {
                locations,
                loaded: run.locations,
                ending: run.ending,
                limit: run.limit,
            });
            anyhow::Ok(survived)
        });
        let (survives_locations, fails_locations) = found?;
        self.results.arms[arm].reload = Some(ReloadBracket {
            survives_locations,
            fails_locations,
            probes,
        });
        Ok(())
    }

    /// How many locations fit, or would by what one costs.
    fn fits(&self, arm: usize) -> Option<f64> {
        let runs = &self.results.arms[arm].loads.runs;
        let fits = runs.iter().filter_map(|run| match run.ending {
            RunEnd::Done => Some(self.flags.budget as f64 / run.bytes_per_location?),
            _ => Some(run.locations as f64),
        });
        median(&fits.collect::<Vec<_>>())
    }

    /// One run that counts.
    fn one(
        &mut self,
        arm: usize,
        locations: u64,
        reloads: bool,
        doing: &str,
    ) -> anyhow::Result<LoadRun> {
        let task = Task {
            reloads,
            locations,
            budget: self.flags.budget,
            limit: self.flags.limit,
            bundle: self.bundle.to_owned(),
        };
        let wanted = task.contexts();
        let arm = &mut self.results.arms[arm].loads;
        let mut progress = |loaded: u64, rss_bytes: u64| {
            let done = loaded as f64 / wanted as f64;
            let taken = rss_bytes as f64 / task.budget as f64;
            self.bar
                .set_position((100.0 * done.max(taken).min(1.0)) as u64);
            self.bar.set_message(format!(
                "{}: {doing}: {} of {} contexts",
                arm.name,
                thousands(loaded),
                thousands(wanted)
            ));
        };
        let mut notes = Vec::new();
        let run = until_valid(&arm.name, None, &mut arm.void_runs, || {
            observe(&task, &arm.name, self.stop, &mut progress, &mut |note| {
                notes.push(note);
            })
        });
        notes.into_iter().for_each(|note| self.results.note(note));
        run
    }
}
