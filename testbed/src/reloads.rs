//! An nginx with its break blocked that is reloaded again and again under load: left alone, and
//! watched by `brkhole trim --watch`.
//!
//! While it reloads it has two configurations, whatever anybody does. A moment after each reload,
//! before the next, it is weighed: then it needs one. Each request has a connection of its own, as
//! nginx closes idle ones when it reloads, which a client may take for a failure.

mod nginx;
mod results;

use crate::campaign::{Recorder, at_least, judge};
use crate::testbed::Testbed;
use clap::Args;
use nginx::{Load, Nginx, Service};
pub use results::{Reload, ReloadArm, Reloads};
use roots::repository;
use serde_json::json;
use std::path::PathBuf;
use std::thread::sleep;
use std::time::{Duration, Instant};

const WATCH_SECONDS: &str = "1";
const ABOVE: &str = "16MiB";

#[derive(Debug, Args)]
pub struct ReloadsOptions {
    /// nginx's locations.
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = at_least(2))]
    locations: u32,
    /// How long each arm is reloaded.
    #[arg(long, value_name = "S", default_value_t = 600, value_parser = at_least(1))]
    seconds: u32,
    /// From the end of a reload to the weighing, and the next reload.
    #[arg(long, value_name = "S", default_value_t = 2, value_parser = at_least(1))]
    rest_seconds: u32,
    /// Directory for the raw data, from the repository's root.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

/// Reloads it in both arms and prints the table. Fails when a request failed, or the watched nginx kept
/// more than it may.
pub fn run(options: &ReloadsOptions) -> anyhow::Result<()> {
    let recorder = Recorder::open(options.out.as_deref())?;
    repository::run(repository::command("cargo").args([
        "build",
        "--release",
        "--quiet",
        "--package",
        "brkhole",
    ]))?;
    let place = Testbed::new(None, None)?;
    place.compile("testbed/programs/hole.c", "hole.so", &["-shared", "-fPIC"])?;
    let parameters = json!({
        "locations": options.locations,
        "seconds": options.seconds,
        "rest_seconds": options.rest_seconds,
        "watch_seconds": WATCH_SECONDS.parse::<u32>()?,
        "above": ABOVE,
        "connections": nginx::CONNECTIONS,
    });
    let alone = arm(&place, options, false)?;
    let watched = arm(&place, options, true)?;
    let versions = place.versions("glibc nginx lua_nginx_module")?;
    let reloads = Reloads::of(parameters, versions, [alone, watched]);
    recorder.keep(&reloads)?;
    judge(&reloads)
}

fn arm(place: &Testbed, options: &ReloadsOptions, is_watched: bool) -> anyhow::Result<ReloadArm> {
    let rest = Duration::from_secs(options.rest_seconds.into());
    let mut nginx = Nginx::start(place, options.locations)?;
    sleep(rest);
    let one_configuration_bytes = nginx.weigh()?.rss_bytes;
    let load = Load::start(place, &nginx)?;
    let service = is_watched.then(|| Service::start(place, WATCH_SECONDS, ABOVE)).transpose()?;
    let begun = Instant::now();
    let mut reloads = Vec::new();
    while begun.elapsed() < Duration::from_secs(options.seconds.into()) {
        let reload_seconds = nginx.reload()?.as_secs_f64();
        sleep(rest);
        let weight = nginx.weigh()?;
        eprintln!("{is_watched} {reload_seconds:.1} s, {} MiB", weight.rss_bytes >> 20);
        reloads.push(Reload {
            reload_seconds,
            master_rss_bytes: weight.rss_bytes,
            master_returnable_bytes: nginx.returnable_bytes()?,
            worker_rss_bytes: nginx.worker_rss_bytes()?,
        });
    }
    let peak_rss_bytes = nginx.weigh()?.peak_rss_bytes;
    let requests = load.end()?;
    let service = service.map(|service| service.end(place)).transpose()?;
    ReloadArm::of(one_configuration_bytes, peak_rss_bytes, reloads, requests, service)
}
