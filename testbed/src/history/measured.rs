//! A work, measured: each step with the break free and with it blocked.

use super::site::Site;
use super::work::{HELD, ONE, Work};
use heap_meter::experiment::{Results, Run};
use heap_meter::statistics::median;

/// The break is left free.
pub const CONTROL: &str = "control";

/// The break is blocked.
pub const HOLE: &str = "hole";

/// What came out.
#[derive(Debug)]
pub struct Measured {
    /// What was run.
    pub work: Work,
    /// One comparison for each of its steps, in their order.
    pub results: Vec<Results>,
}

/// Reads a figure from a run.
pub type Figure = fn(&Run) -> Option<f64>;

/// What a context costs beyond the first.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Cost {
    /// Wall time.
    pub seconds: f64,
    /// Resident memory at the end.
    pub rss_bytes: f64,
}

impl Measured {
    /// Runs each step in both arms, in turns.
    ///
    /// # Errors
    ///
    /// When one can't be run.
    pub fn of(site: &Site, work: Work, repeats: u32) -> anyhow::Result<Self> {
        let results = work
            .steps
            .iter()
            .map(|step| site.compare(&step.words, repeats))
            .collect::<anyhow::Result<_>>()?;
        Ok(Self { work, results })
    }

    /// What the comparison of this step found; none if the work hasn't this step.
    pub fn step(&self, name: &str) -> Option<&Results> {
        let mut steps = self.work.steps.iter();
        let position = steps.position(|step| step.name == name)?;
        self.results.get(position)
    }

    /// The runs of a step in an arm; none are there if the work hasn't this step.
    pub fn runs(&self, step: &str, arm: &str) -> &[Run] {
        let arm = self.step(step).and_then(|results| results.arm(arm));
        arm.map_or(&[], |arm| &arm.runs)
    }

    /// The median of a figure over those runs.
    pub fn median(&self, step: &str, arm: &str, figure: Figure) -> Option<f64> {
        let runs = self.runs(step, arm).iter();
        median(&runs.filter_map(figure).collect::<Vec<_>>())
    }

    /// What a context costs in this arm; none for a work without contexts.
    pub fn cost(&self, arm: &str) -> Option<Cost> {
        let further = f64::from(self.work.contexts?.checked_sub(1)?);
        let a_context = |figure: Figure| {
            let held = self.median(HELD, arm, figure)?;
            Some((held - self.median(ONE, arm, figure)?) / further)
        };
        Some(Cost {
            seconds: a_context(seconds)?,
            rss_bytes: a_context(rss_bytes)?,
        })
    }

    /// The run whose count of fallbacks is the median: they all have the same, unless the program's
    /// own memory isn't the same in every run.
    pub fn typical<'a>(&'a self, step: &str, arm: &str) -> Option<&'a Run> {
        let mut runs: Vec<&Run> = self.runs(step, arm).iter().collect();
        runs.sort_by_key(|run| run.fallback.as_ref().map(|fallback| fallback.count()));
        runs.get(runs.len().checked_sub(1)? / 2).copied()
    }
}

/// Wall time of the whole command.
pub fn seconds(run: &Run) -> Option<f64> {
    Some(run.wall_seconds)
}

/// Resident memory as the command ended.
pub fn rss_bytes(run: &Run) -> Option<f64> {
    Some(run.checkpoint("end")?.snapshot.rss_bytes as f64)
}

/// The greatest that it had.
pub fn peak_rss_bytes(run: &Run) -> Option<f64> {
    Some(run.peak_rss_bytes()? as f64)
}

#[cfg(test)]
mod tests {
    use super::super::samples::measured;
    use super::super::work::FREED;
    use super::*;

    #[test]
    fn a_context_costs_what_the_first_did_not() {
        let bundle = measured("bundle", &[]);
        let cost = |arm| bundle.cost(arm).unwrap();
        assert_eq!(cost(CONTROL).rss_bytes, f64::from(1 << 20));
        assert_eq!(cost(HOLE).rss_bytes, f64::from(2 << 20));
        assert_eq!(cost(HOLE).seconds, 0.1);
        assert_eq!(measured("burst", &[]).cost(HOLE), None);
    }

    #[test]
    fn a_step_that_a_work_has_not_has_no_figure() {
        let nginx = measured("nginx", &[]);
        assert!(nginx.median(HELD, HOLE, rss_bytes).is_some());
        assert_eq!(nginx.median(FREED, HOLE, rss_bytes), None);
        assert!(nginx.typical(FREED, HOLE).is_none());
    }
}
