//! Chapter `locations`: N SSL contexts that each load the bundle, as N nginx locations do.

use crate::chapter::Chapter;
use crate::child::Child;
use crate::process::malloc_trim;
use crate::{arm, judge};
use anyhow::Context;
use brk_hole::Vm;
use heap_diagnosis::Finding;
use heap_meter::experiment::{Metric, Results, Run, Unit};
use std::path::{Path, PathBuf};
use trusted_ca::{BundleCache, Nginx, Sharing, SslContext};

/// The flags of `locations`.
#[derive(Clone, Debug, clap::Args)]
pub struct Locations {
    /// How many locations, so how many SSL contexts
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..))]
    pub locations: u64,

    /// The CA bundle [default: SSL_CERT_FILE, then the usual system places]
    #[arg(long, value_name = "PATH")]
    pub bundle: Option<PathBuf>,
}

/// Before the first context: OpenSSL is set up.
const START: &str = "start";
/// All contexts hold the bundle.
const LOADED: &str = "loaded";
/// Lua came, and all is freed.
const FREED: &str = "freed";
/// malloc was told to give back what it can.
const TRIMMED: &str = "trimmed";

impl Chapter for Locations {
    const NAME: &'static str = "locations";
    const ARMS: &'static [&'static str] = &[arm::CONTROL, arm::HOLE, arm::SHARED];
    const ABOUT: &'static str = "What lua_ssl_trusted_certificate costs per nginx location: with the program break \
         free (control), with it blocked as lua-nginx-module 0.10.3-0.10.7 blocked it (hole), and \
         with the bundle parsed once for all locations (shared)";
    const EXAMPLES: &'static str = "Examples:
  cargo run --release
  cargo run --release -- --locations 1000 --repeats 3
  cargo run --release -- --bundle my-ca.pem --format json
  cargo run --release -- --out results --chart memory.svg";

    fn bundle(&self) -> Option<Option<&Path>> {
        Some(self.bundle.as_deref())
    }

    fn parameters(&self) -> Vec<(&'static str, u64)> {
        vec![("locations", self.locations)]
    }

    fn work(parameters: &[u64], bundle: Option<&Path>, child: &Child) -> anyhow::Result<()> {
        let (&[locations], Some(bundle)) = (parameters, bundle) else {
            anyhow::bail!("expected the number of locations and the bundle");
        };
        work(locations, bundle, child)
    }

    fn metrics(&self) -> Vec<Metric> {
        let locations = self.locations as f64;
        let mut metrics = vec![
            Metric::new("time_per_location", "time per location", Unit::Seconds, move |run| {
                Some(run.checkpoint(LOADED)?.worked_seconds / locations)
            }),
            Metric::new("memory_per_location", "memory per location", Unit::Bytes, move |run| {
                Some(growth(run)? / locations)
            }),
        ];
        metrics.extend(judge::memory_metrics(LOADED, FREED, TRIMMED));
        metrics
    }

    fn findings(&self, results: &Results) -> Vec<Finding> {
        let mut findings = Vec::new();
        findings.extend(judge::many_parses(results, self.locations, growth));
        findings.extend(judge::parsed_once(results, growth, LOADED));
        findings.extend(judge::break_blocked(results));
        findings.extend(judge::memory_kept(results, LOADED, FREED, TRIMMED));
        findings
    }
}

/// Bytes of resident memory that the contexts brought.
fn growth(run: &Run) -> Option<f64> {
    let start = run.checkpoint(START)?.snapshot.rss_bytes;
    let loaded = run.checkpoint(LOADED)?.snapshot.rss_bytes;
    Some(loaded as f64 - start as f64)
}

fn work(locations: u64, bundle: &Path, child: &Child) -> anyhow::Result<()> {
    // What OpenSSL sets up once per process is no location's cost.
    drop(SslContext::new()?);
    let mut configuration = Configuration::new(locations)?;
    if !child.counts(room_for(locations, bundle)?)? {
        return Ok(());
    }
    child.checkpoints.reach(START)?;
    let load = if arm::wants_sharing() { load_shared } else { load };
    for done in 0..locations {
        configuration.add(load(bundle)?);
        child.progress(done, locations)?;
    }
    child.held(LOADED)?;
    configuration.complete()?;
    drop(configuration);
    child.checkpoints.reach(FREED)?;
    malloc_trim();
    child.checkpoints.reach(TRIMMED)?;
    Ok(())
}

/// A configuration, made and freed in nginx's order.
///
/// The contexts come while the configuration is read, the Lua state when all of it has been read. On
/// dropping they go backwards: the state first, then the contexts, the newest first. nginx gives
/// each of them a handler in the cycle's pool, and puts a new handler before the earlier ones.
///
/// # References
/// lua-nginx-module `src/ngx_http_lua_module.c` (`ngx_http_lua_set_ssl` merges a location's settings,
/// `ngx_http_lua_init` is the module's postconfiguration); nginx `src/core/ngx_palloc.c`
/// (`ngx_pool_cleanup_add`, `ngx_destroy_pool`).
pub(crate) struct Configuration {
    contexts: Vec<SslContext>,
    vm: Option<Vm>,
}

impl Configuration {
    /// One in which nothing is read yet. So many locations take no memory for book-keeping later.
    pub(crate) fn new(locations: u64) -> anyhow::Result<Self> {
        Ok(Self { contexts: Vec::with_capacity(usize::try_from(locations)?), vm: None })
    }

    /// A location was read.
    pub(crate) fn add(&mut self, context: SslContext) {
        self.contexts.push(context);
    }

    /// All was read: Lua begins.
    pub(crate) fn complete(&mut self) -> anyhow::Result<()> {
        self.vm = Some(Vm::new().context("can't make the Lua state")?);
        Ok(())
    }
}

impl Drop for Configuration {
    fn drop(&mut self) {
        self.vm = None;
        while let Some(context) = self.contexts.pop() {
            drop(context);
        }
    }
}

/// How far the break has to grow for so many contexts, generously: a certificate takes about four
/// times its PEM text.
pub(crate) fn room_for(locations: u64, bundle: &Path) -> anyhow::Result<u64> {
    let bytes = std::fs::metadata(bundle)?.len();
    Ok(locations.saturating_mul(bytes).saturating_mul(5))
}

/// One location: a context of its own, the bundle parsed anew, as nginx before 1.27.2 has it.
pub(crate) fn load(bundle: &Path) -> anyhow::Result<SslContext> {
    let mut context = SslContext::new()?;
    context.load_trusted(bundle, Nginx::Before1_27_2)?;
    Ok(context)
}

/// One location with the cure: a context with a store of its own, what is in it parsed once.
pub(crate) fn load_shared(bundle: &Path) -> anyhow::Result<SslContext> {
    static CACHE: BundleCache = BundleCache::new();
    let mut context = SslContext::new()?;
    context.load_trusted_cached(bundle, &CACHE, Sharing::Objects)?;
    Ok(context)
}
