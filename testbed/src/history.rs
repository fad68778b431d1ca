//! A burst, and loading the bundle, with the glibc, the OpenSSL and the programs of several Debian
//! releases: with the program break free, and with a hole at it.
//!
//! The `brkhole` command is built once, in the oldest release's root, and `brkhole compare` is run
//! in each with that release's own programs. What differs between the releases is theirs.

mod measured;
mod raw;
#[cfg(test)]
mod samples;
mod site;
mod table;
mod verdict;
mod work;

use crate::parameters::Parameters;
use crate::repository;
use crate::root::{Release, Root, Versions, version};
use anyhow::Context;
use measured::Measured;
use site::Site;
use std::fs;
use verdict::Fault;
use work::Work;

/// One release: what it has, and what was measured.
#[derive(Debug)]
struct Report {
    release: Release,
    versions: Versions,
    works: Vec<Measured>,
    faults: Vec<Fault>,
}

impl Report {
    /// The version of a program or library.
    fn version(&self, name: &str) -> &str {
        version(&self.versions, name)
    }
}

/// Makes the roots, builds the command, measures, and prints the table.
///
/// # Errors
///
/// When a root can't be made, something can't be built or run, or a figure can't
/// be what it is called; the others are measured and kept all the same.
pub fn run(parameters: &Parameters) -> anyhow::Result<()> {
    let roots: Vec<Root> = Release::ALL
        .into_iter()
        .map(Root::make)
        .collect::<anyhow::Result<_>>()?;
    eprintln!("{}: the command is built", roots[0].release());
    let command = roots[0].build("brkhole")?;
    let bundle = roots[1]
        .directory()
        .join("etc/ssl/certs/ca-certificates.crt");
    let bundle = fs::read(bundle).context("the root has no bundle")?;
    let mut reports = Vec::new();
    for root in &roots {
        let site = Site::prepare(root, &command, &bundle, parameters.locations)?;
        reports.push(report(root, &site, parameters, bundle.len())?);
        // After every release, so that a later failure loses nothing.
        if let Some(out) = &parameters.out {
            let all = raw::of(parameters, &bundle, &reports)?;
            raw::write(&repository::root().join(out), &all)?;
        }
    }
    print!("{}", table::of(&reports));
    let faults: usize = reports.iter().map(|report| report.faults.len()).sum();
    anyhow::ensure!(
        faults == 0,
        "{faults} figures aren't what they are called: see above"
    );
    Ok(())
}

fn report(
    root: &Root,
    site: &Site,
    parameters: &Parameters,
    bundle_bytes: usize,
) -> anyhow::Result<Report> {
    let release = root.release();
    let mut report = Report {
        release,
        versions: root.versions()?,
        works: Vec::new(),
        faults: Vec::new(),
    };
    for work in Work::all(parameters.locations) {
        eprintln!("{release}: {}", work.name);
        let measured = Measured::of(site, work, parameters.repeats)?;
        let glibc = report.version("glibc");
        let faults = verdict::on(&measured, glibc, parameters.repeats, bundle_bytes);
        report.faults.extend(faults);
        report.works.push(measured);
    }
    Ok(report)
}
