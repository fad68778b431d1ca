//! The raw results, as they are kept, and the table.

use super::library::PreloadLibrary;
use super::nginx::{LocationCost, NginxArm};
use super::probes::Check;
use crate::campaign::{Measurements, fault_lines};
use crate::testbed::Versions;
use heap_meter::environment::Environment;
use roots::repository::output;
use serde::{Deserialize, Serialize};
use serde_json::Value;

const HEADING: &str = "\
release   glibc  OpenSSL  nginx   Python  curl      ms a location              KiB a location             checks
                                                     parse  private  shared     parse  private  shared
";

#[derive(Debug, Serialize, Deserialize)]
pub struct Distributions {
    pub parameters: Value,
    pub libraries: Vec<PreloadLibrary>,
    pub releases: Vec<ReleaseChecks>,
}

/// One release: what it has, what was measured, what was checked.
#[derive(Debug, Serialize, Deserialize)]
pub struct ReleaseChecks {
    pub name: String,
    pub arms: Vec<NginxArm>,
    pub checks: Vec<Check>,
    #[serde(flatten)]
    pub versions: Versions,
}

impl ReleaseChecks {
    fn failed(&self) -> usize {
        self.checks.iter().filter(|check| !check.ok).count()
    }

    fn row(&self) -> String {
        let cost = |name: &str, of: fn(LocationCost) -> f64| {
            let mut arms = self.arms.iter();
            let found = arms.find(|arm| arm.name == name).and_then(|arm| arm.cost);
            found.map_or(f64::NAN, of)
        };
        let ms = |name| cost(name, |cost| cost.cpu_seconds_per_location * 1e3);
        let kib = |name| cost(name, |cost| cost.rss_bytes_per_location / 1024.0);
        let checks = match self.failed() {
            0 => format!("{} ok", self.checks.len()),
            failed => format!("{failed} of {} FAILED", self.checks.len()),
        };
        format!(
            "{:<9} {:<6} {:<8} {:<7} {:<7} {:<8} {:>6.2} {:>8.3} {:>7.3}    {:>6.0} {:>8.1} {:>7.1}     {checks}\n",
            self.name,
            self.versions["glibc"],
            self.versions["openssl"],
            self.versions["nginx"],
            self.versions["python"],
            self.versions["curl"],
            ms("parse"),
            ms("private"),
            ms("shared-store"),
            kib("parse"),
            kib("private"),
            kib("shared-store"),
        )
    }
}

impl Measurements for Distributions {
    const NAME: &'static str = "distributions";

    /// What the library needs, a line for each release, and the faults.
    fn table(&self) -> String {
        let libraries = self.libraries.iter().map(|library| {
            let PreloadLibrary { name, needs_glibc, .. } = library;
            format!("the library built on {name} needs glibc {needs_glibc}\n")
        });
        let faults = self.releases.iter().flat_map(|release| {
            release.checks.iter().filter_map(|check| {
                let fault = check.fault.as_ref()?;
                let fault = format!("{}\n    {fault}", check.name);
                Some((release.name.as_str(), fault))
            })
        });
        let mut text: String = libraries.collect();
        text.push('\n');
        text += HEADING;
        text.extend(self.releases.iter().map(ReleaseChecks::row));
        text + &fault_lines("FAILED", faults)
    }

    fn verdict(&self) -> Option<String> {
        let failed: usize = self.releases.iter().map(ReleaseChecks::failed).sum();
        (failed > 0).then(|| format!("{failed} checks failed"))
    }

    fn environment(&self) -> anyhow::Result<Environment> {
        let rustc = output("rustc", ["--version"])?;
        Ok(Environment::here().with("rustc", rustc.trim()))
    }
}
