//! The command line of `oom`, and that of a child of it.

use crate::child::{choice, number, word};
use crate::output::OutputFlags;
use clap::{Parser, ValueEnum};
use human_text::{Bytes, NotBytes};
use serde::Serialize;
use std::ffi::OsString;
use std::path::PathBuf;

/// Name of the experiment, and of the binary.
pub(super) const NAME: &str = "oom";

/// Less than this isn't enough for a process with Lua and OpenSSL in it, and a few contexts.
const SMALLEST_BUDGET: u64 = 16 << 20;

const ABOUT: &str = "How many nginx locations that each load the CA bundle fit a memory budget \
    before the OOM killer comes: with the program break free (control), with it blocked as \
    lua-nginx-module 0.10.3-0.10.7 blocked it (hole), and with the bundle parsed once for all \
    locations (shared). Each child is alone in a memory cgroup of its own, which is removed \
    afterwards";

const EXAMPLES: &str = "Examples:
  cargo run --release --bin oom
  cargo run --release --bin oom -- --budget 64MiB --repeats 1
  cargo run --release --bin oom -- --limit rlimit
  cargo run --release --bin oom -- --format json --out results

A cgroup needs permission: root has it, and where systemd and cgroup v2 are, so has everybody in
  systemd-run --user --scope -- PROGRAM";

/// There is no chart of this one.
const OUT: &str = "Keep the raw results in this directory; written after every run";

#[derive(Clone, Debug, Parser)]
#[command(name = NAME, version, about = ABOUT, after_help = EXAMPLES, mut_arg("out", |out| out.help(OUT)))]
pub(super) struct OomFlags {
    /// The memory that each child may have, such as 256MiB or 1GiB; at least 16MiB
    #[arg(long, value_name = "BYTES", default_value = "256MiB", value_parser = budget)]
    pub(super) budget: u64,

    /// How many locations at most, so how many SSL contexts
    #[arg(long, value_name = "N", default_value_t = 4000, value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    pub(super) locations: u64,

    /// What keeps a child to the budget
    #[arg(long, value_enum, default_value_t = BudgetLimit::Cgroup)]
    pub(super) limit: BudgetLimit,

    /// The CA bundle [default: SSL_CERT_FILE, then the usual system places]
    #[arg(long, value_name = "PATH")]
    pub(super) bundle: Option<PathBuf>,

    /// How often each arm is loaded until it ends; what survives a reload is looked for once
    #[arg(long, value_name = "R", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    pub(super) repeats: u32,

    #[command(flatten)]
    pub(super) output: OutputFlags,
}

/// What keeps a child to its budget.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(super) enum BudgetLimit {
    /// A memory cgroup: the OOM killer ends the child
    Cgroup,
    /// RLIMIT_DATA, which needs no permission: allocations fail, and nothing is killed
    Rlimit,
}

fn budget(text: &str) -> Result<u64, String> {
    let Bytes(bytes) = text.parse().map_err(|error: NotBytes| error.to_string())?;
    match bytes < SMALLEST_BUDGET {
        true => Err("less than 16MiB isn't enough for the process itself".to_owned()),
        false => Ok(bytes),
    }
}

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
            word(&self.limit).into(),
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
            limit: choice(limit)?,
            bundle: bundle.into(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{budget, *};

    #[test]
    fn a_budget_is_enough_for_a_process() {
        assert_eq!(budget("256MiB"), Ok(256 << 20));
        assert!(budget("15MiB").unwrap_err().contains("16MiB"));
        assert!(budget("256MB").unwrap_err().contains("256MB"));
    }

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
