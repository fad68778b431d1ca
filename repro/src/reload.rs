//! Chapter `reload`: an nginx master that reloads. The new configuration is loaded while the old one
//! is still there, then the old one is freed.

use crate::chapter::Chapter;
use crate::child::Child;
use crate::judge;
use crate::locations::{Configuration, load, room_for};
use crate::process::{become_daemon, malloc_trim};
use anyhow::Context;
use brk_hole::Vm;
use heap_diagnosis::Finding;
use heap_meter::experiment::{Metric, Results, Unit, metrics};
use std::path::{Path, PathBuf};
use trusted_ca::SslContext;

/// The flags of `reload`.
#[derive(Clone, Debug, clap::Args)]
pub struct Reload {
    /// How many locations the configuration has
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..))]
    pub locations: u64,

    /// How often it is reloaded after the start
    #[arg(long, value_name = "C", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub cycles: u32,

    /// The CA bundle [default: SSL_CERT_FILE, then the usual system places]
    #[arg(long, value_name = "PATH")]
    pub bundle: Option<PathBuf>,
}

/// Before the first context.
const START: &str = "start";
/// The configuration of the start is loaded, and the master is a daemon.
const STARTED: &str = "loaded";
/// malloc was told to give back what it can; one configuration is still loaded.
const TRIMMED: &str = "trimmed";

/// Memory that is asked for with `MAP_32BIT` is looked for from anywhere in so many bytes upwards,
/// each time anew (Linux `arch/x86/kernel/sys_x86_64.c`, `find_start_end`).
const LUA_SCATTER_BYTES: u64 = 32 << 20;

/// The new configuration of this reload is loaded, the old one is still there.
fn both(cycle: u32) -> String {
    format!("reload {cycle}: both")
}

/// The old configuration of this reload is freed.
fn old_freed(cycle: u32) -> String {
    format!("reload {cycle}: old freed")
}

impl Chapter for Reload {
    const NAME: &'static str = "reload";
    const ABOUT: &'static str = "What reloads cost an nginx master whose locations each load the CA bundle, with the \
         program break free (control) and blocked (hole)";
    const EXAMPLES: &'static str = "Examples:
  cargo run --release --bin reload
  cargo run --release --bin reload -- --locations 300 --cycles 10 --repeats 3
  cargo run --release --bin reload -- --chart reload.svg";

    fn bundle(&self) -> Option<Option<&Path>> {
        Some(self.bundle.as_deref())
    }

    fn parameters(&self) -> Vec<(&'static str, u64)> {
        vec![("locations", self.locations), ("cycles", self.cycles.into())]
    }

    fn work(parameters: &[u64], bundle: Option<&Path>, child: &Child) -> anyhow::Result<()> {
        let (&[locations, cycles], Some(bundle)) = (parameters, bundle) else {
            anyhow::bail!("expected the number of locations, that of cycles, and the bundle");
        };
        work(locations, cycles.try_into()?, bundle, child)
    }

    fn metrics(&self) -> Vec<Metric> {
        let cycles = self.cycles;
        let mut metrics =
            vec![Metric::new("time_per_reload", "time per reload", Unit::Seconds, move |run| {
                let seconds = |label: &str| Some(run.checkpoint(label)?.worked_seconds);
                let reloads: Option<f64> = (1..=cycles)
                    .map(|cycle| Some(seconds(&both(cycle))? + seconds(&old_freed(cycle))?))
                    .sum();
                Some(reloads? / f64::from(cycles))
            })];
        metrics.push(metrics::rss_at("rss_started", "after the start", STARTED));
        metrics.push(metrics::rss_at("rss_first_reload", "after the first reload", &old_freed(1)));
        metrics.extend(judge::memory_metrics(&both(cycles), &old_freed(cycles), TRIMMED));
        metrics
    }

    fn findings(&self, results: &Results) -> Vec<Finding> {
        let mut findings = Vec::new();
        findings.extend(judge::reload_keeps(results, STARTED, &old_freed(self.cycles), TRIMMED));
        findings.extend(judge::break_blocked(results));
        findings
    }
}

fn work(locations: u64, cycles: u32, bundle: &Path, child: &Child) -> anyhow::Result<()> {
    drop(SslContext::new()?);
    // Labels are made before they are needed, so that the program's own book-keeping doesn't lie
    // between the configurations.
    let labels: Vec<[String; 2]> =
        (1..=cycles).map(|cycle| [both(cycle), old_freed(cycle)]).collect();
    let steps = (u64::from(cycles) + 1) * locations;
    let mut done = 0;
    let mut read = || -> anyhow::Result<Configuration> {
        let mut configuration = Configuration::new(locations)?;
        for _ in 0..locations {
            configuration.add(load(bundle)?);
            done += 1;
            child.progress(done, steps)?;
        }
        configuration.complete()?;
        Ok(configuration)
    };
    // The first configuration's Lua memory decides how far the break can go for the second. It will
    // lie about where it comes to lie now.
    let vm = Vm::new().context("can't make the Lua state")?;
    let counts = child.counts(room_for(2 * locations, bundle)? + LUA_SCATTER_BYTES)?;
    drop(vm);
    if !counts {
        return Ok(());
    }
    child.checkpoints.reach(START)?;
    let mut present = read()?;
    become_daemon().context("can't become a daemon")?;
    child.checkpoints.reach(STARTED)?;
    for (cycle, [both, old_freed]) in (1..).zip(&labels) {
        let new = read()?;
        child.held(both)?;
        drop(std::mem::replace(&mut present, new));
        // After the last one malloc_trim comes next.
        if cycle == cycles {
            child.checkpoints.reach_examined(old_freed)?;
        } else {
            child.checkpoints.reach(old_freed)?;
        }
    }
    malloc_trim();
    child.checkpoints.reach(TRIMMED)?;
    Ok(())
}
