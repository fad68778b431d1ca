//! What one child is to do.

use super::flags::BudgetLimit;
use crate::child::number;
use clap::ValueEnum;
use std::ffi::OsString;
use std::path::PathBuf;

/// One child: its work and its limit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Task {
    /// Whether it loads everything a second time while the first is alive, which is freed then.
    pub(super) reloads: bool,
    pub(super) locations: u64,
    pub(super) budget: u64,
    pub(super) limit: BudgetLimit,
    pub(super) bundle: PathBuf,
}

impl Task {
    /// Contexts that are loaded in all.
    pub(super) fn contexts(&self) -> u64 {
        match self.reloads {
            false => self.locations,
            true => self.locations.saturating_mul(2),
        }
    }

    pub(super) fn arguments(&self) -> Vec<OsString> {
        let work = match self.reloads {
            false => "load",
            true => "reload",
        };
        vec![
            work.into(),
            self.locations.to_string().into(),
            self.budget.to_string().into(),
            self.limit.name().into(),
            self.bundle.clone().into(),
        ]
    }

    /// Reads what [`arguments`](Self::arguments) wrote.
    pub(super) fn from_arguments(arguments: &[OsString]) -> anyhow::Result<Self> {
        let [work, locations, budget, limit, bundle] = arguments else {
            anyhow::bail!(
                "a child expects its work (load, reload), the locations, the budget in bytes, the \
                 limit (cgroup, rlimit) and the bundle"
            );
        };
        Ok(Self {
            reloads: match work.to_str() {
                Some("load") => false,
                Some("reload") => true,
                _ => anyhow::bail!("{}: load or reload was expected", work.display()),
            },
            locations: number(locations, "a number of locations")?,
            budget: number(budget, "a budget in bytes")?,
            limit: BudgetLimit::from_str(&limit.to_string_lossy(), false)
                .map_err(|error| anyhow::anyhow!("{error}: {}", limit.display()))?,
            bundle: bundle.into(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_child_reads_the_task_it_was_given() {
        let task = Task {
            reloads: true,
            locations: 40,
            budget: 24 << 20,
            limit: BudgetLimit::Rlimit,
            bundle: "/a b/c.pem".into(),
        };
        assert_eq!(Task::from_arguments(&task.arguments()).unwrap(), task);
        assert_eq!(task.contexts(), 80);
        let wrong = ["unload", "1", "1", "cgroup", "x"].map(OsString::from);
        let error = Task::from_arguments(&wrong).unwrap_err();
        assert!(error.to_string().contains("unload"), "{error}");
    }
}
