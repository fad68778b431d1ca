//! The preload library with the glibc, the OpenSSL and the programs of several Debian releases.
//!
//! It is built in the oldest release's root, and then preloaded into every release's own nginx,
//! Python, curl and openssl. What they do must not depend on it; what they take must.

mod checks;
mod library;
mod log_line;
mod mode;
mod nginx;
mod site;
mod table;

use crate::parameters::Parameters;
use crate::repository::{self, output};
use crate::root::{Release, Root};
use anyhow::Context;
use checks::Check;
use heap_meter::environment::Environment;
use nginx::Arm;
use serde_json::{Value, json};
use site::Site;
use std::fs;
use std::path::Path;

/// One release: what it has, what was measured, what was checked.
#[derive(Debug)]
struct Report {
    release: Release,
    /// Name and version of each program and library.
    versions: Vec<(&'static str, String)>,
    arms: Vec<Arm>,
    checks: Vec<Check>,
}

/// Makes the roots, builds the library, checks and measures; prints the table.
///
/// # Errors
///
/// When a root can't be made, the library can't be built, or a check failed; the
/// other checks are made all the same.
pub fn run(parameters: &Parameters) -> anyhow::Result<()> {
    let roots: Vec<Root> = Release::ALL
        .into_iter()
        .map(Root::make)
        .collect::<anyhow::Result<_>>()?;
    let mut libraries = Vec::new();
    for root in &roots {
        eprintln!("{}: the library is built", root.release());
        libraries.push(library::build(root)?);
    }
    let oldest = &libraries[0];
    let bundle = fs::read(
        roots[1]
            .directory()
            .join("etc/ssl/certs/ca-certificates.crt"),
    )
    .context("the root has no bundle")?;
    let mut reports = Vec::new();
    for root in &roots {
        let site = Site::prepare(root, &oldest.file, &bundle)?;
        reports.push(report(&site, parameters)?);
        // After every release, so that a later failure loses nothing.
        if let Some(out) = &parameters.out {
            let all = raw(parameters, &libraries, &bundle, &reports)?;
            write(&repository::root().join(out), &all)?;
        }
    }
    print!("{}", table::of(&libraries, &reports));
    let failed: usize = reports
        .iter()
        .flat_map(|report| &report.checks)
        .filter(|check| !check.is_ok())
        .count();
    anyhow::ensure!(failed == 0, "{failed} checks failed");
    Ok(())
}

fn report(site: &Site, parameters: &Parameters) -> anyhow::Result<Report> {
    let release = site.release();
    eprintln!("{release}: contents and connections");
    let mut checks = checks::programs(site)?;
    eprintln!("{release}: nginx");
    let measured = nginx::measure(site, parameters.locations, parameters.repeats)?;
    checks.extend(measured.checks);
    Ok(Report {
        release,
        versions: site.versions()?,
        arms: measured.arms,
        checks,
    })
}

fn raw(
    parameters: &Parameters,
    libraries: &[library::Library],
    bundle: &[u8],
    reports: &[Report],
) -> anyhow::Result<Value> {
    let certificates = String::from_utf8_lossy(bundle)
        .matches("-----BEGIN CERTIFICATE-----")
        .count();
    let releases: Vec<Value> = reports.iter().map(Report::to_json).collect();
    let libraries: Vec<Value> = libraries.iter().map(library::Library::to_json).collect();
    let rustc = output("rustc", ["--version"])?;
    Ok(json!({
        "experiment": "distributions",
        "environment": Environment::here().with("rustc", rustc.trim()),
        "parameters": {
            "locations": parameters.locations,
            "repeats": parameters.repeats,
            "bundle": { "bytes": bundle.len(), "certificates": certificates },
        },
        "libraries": libraries,
        "releases": releases,
        "recorded": repository::recorded()?,
    }))
}

impl Report {
    fn to_json(&self) -> Value {
        let mut json = json!({
            "name": self.release.name(),
            "arms": self.arms.iter().map(Arm::to_json).collect::<Vec<_>>(),
            "checks": self.checks.iter().map(Check::to_json).collect::<Vec<_>>(),
        });
        for (name, version) in &self.versions {
            json[*name] = json!(version);
        }
        json
    }
}

fn write(directory: &Path, run: &Value) -> anyhow::Result<()> {
    let mut text = serde_json::to_string_pretty(run)?;
    text.push('\n');
    let path = directory.join("distributions.json");
    fs::create_dir_all(directory)?;
    fs::write(&path, text).with_context(|| path.display().to_string())
}
