//! The runs of all arms, and then the reloads: how large a configuration survives one is looked for
//! between one that does and one that doesn't, each really tried.

use super::flags::{NAME, OomFlags, Task};
use super::judge;
use super::results::{LoadRun, OomArm, OomResults, ReloadBracket, ReloadProbe, RunEnd, compared};
use super::run::observe;
use crate::arm::{CONTROL, HOLE, SHARED};
use crate::child::word;
use heap_meter::environment::Environment;
use heap_meter::experiment::{StopFlag, order, until_valid};
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
        ("limit".to_owned(), word(&flags.limit).into()),
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
        self.results.comparison = compared(&self.results);
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
        self.results.arms[arm].reload =
            Some(ReloadBracket { survives_locations, fails_locations, probes });
        Ok(())
    }

    /// How many locations fit, or would by what one costs.
    fn fits(&self, arm: usize) -> Option<f64> {
        self.results.arms[arm].median(|run| match run.ending {
            RunEnd::Done => Some(self.flags.budget as f64 / run.bytes_per_location?),
            _ => Some(run.locations as f64),
        })
    }

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
            self.bar.set_position((100.0 * done.max(taken).min(1.0)) as u64);
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

/// The bracket is narrow enough at this share of the number.
const WITHIN: f64 = 0.01;

/// Halves the bracket until it is narrow; `tried` says whether so many survive. Gives the greatest
/// that did and the smallest that didn't, which is `None` when `most` survives.
///
/// It begins close round `guess`, and goes further out until both ends are true.
///
/// # Errors
/// The first one of `tried`.
fn greatest_that_survives<E>(
    guess: u64,
    most: u64,
    mut tried: impl FnMut(u64) -> Result<bool, E>,
) -> Result<(u64, Option<u64>), E> {
    let near = |share: f64| ((guess as f64 * share) as u64).clamp(1, most);
    let (mut survives, mut fails) = (0, None);
    let mut step = (guess / 32).max(1);
    let mut next = near(0.97);
    // Up or down from the guess until both ends are known; 0 locations always survive.
    while fails.is_none() || survives == 0 {
        if tried(next)? {
            survives = next;
            if next == most {
                return Ok((most, None));
            }
            if fails.is_some() {
                break;
            }
            next = next.saturating_add(step).min(most);
        } else {
            fails = Some(next);
            if next == 1 || survives > 0 {
                break;
            }
            next = next.saturating_sub(step).max(1);
        }
        step *= 2;
    }
    let mut fails = fails.unwrap_or(most);
    while (fails - survives) as f64 > (WITHIN * fails as f64).max(1.0) {
        let middle = survives + (fails - survives) / 2;
        if tried(middle)? {
            survives = middle;
        } else {
            fails = middle;
        }
    }
    Ok((survives, Some(fails)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::convert::Infallible;

    fn search(guess: u64, most: u64, truth: u64) -> (u64, Option<u64>, usize) {
        let mut tries = Vec::new();
        let Ok((survives, fails)) = greatest_that_survives(guess, most, |locations| {
            tries.push(locations);
            Ok::<_, Infallible>(locations <= truth)
        });
        if survives > 0 {
            assert!(tries.contains(&survives), "tried at the lower end");
        }
        assert!(fails.is_none_or(|fails| tries.contains(&fails)));
        (survives, fails, tries.len())
    }

    #[test]
    fn it_finds_the_border_from_any_guess() {
        for truth in [1, 2, 30, 143, 150, 151, 1000] {
            for guess in [1, 3, 25, 149, 160, 900, 4000] {
                let (survives, fails, tries) = search(guess, 4000, truth);
                let fails = fails.unwrap();
                assert!(survives <= truth && truth < fails, "{truth} from {guess}");
                assert!((fails - survives) as f64 <= (0.01 * fails as f64).max(1.0));
                assert!(tries < 25, "{tries} tries for {truth} from {guess}");
            }
        }
    }

    #[test]
    fn a_good_guess_takes_few_tries() {
        let (_, _, tries) = search(147, 4000, 146);
        assert!(tries <= 6, "{tries}");
    }

    #[test]
    fn all_or_none_may_survive() {
        assert_eq!(search(4000, 4000, 5000).1, None);
        assert_eq!(search(4000, 4000, 5000).0, 4000);
        let (survives, fails, _) = search(10, 100, 0);
        assert_eq!((survives, fails), (0, Some(1)));
    }
}
