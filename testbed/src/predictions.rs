//! What malloc_trim(3) would give back, predicted from outside, against what it gives back: for
//! several programs, with the glibc of this machine and of Debian releases.
//!
//! Each program says when it stands still. Then it is weighed and looked into, has malloc give back
//! what it can, and is weighed again.

mod measured;
mod place;
mod raw;
mod started;
mod table;
mod verdict;
mod work;

use crate::parameters::Parameters;
use crate::repository;
use crate::root::{Release, Root, Versions, version};
use anyhow::Context;
use measured::Measured;
use place::Place;
use std::fs;
use verdict::Fault;
use work::Work;

/// What was measured in one place, and what is wrong with it.
#[derive(Debug)]
struct Report {
    place: &'static str,
    /// Whether its glibc has to be known.
    is_released: bool,
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

/// Measures on this machine and in every release's root, and prints the table.
///
/// # Errors
///
/// When a root of a release can't be made, a program can't be built or run, or a
/// prediction is wrong; the others are measured and kept all the same. Where no root of Debian's
/// unreleased sid can be made, that is noted.
pub fn run(parameters: &Parameters) -> anyhow::Result<()> {
    let mut notes = Vec::new();
    let mut roots: Vec<Root> = Release::ALL
        .into_iter()
        .map(Root::make)
        .collect::<anyhow::Result<_>>()?;
    match Root::make(Release::Sid) {
        Ok(root) => roots.push(root),
        Err(error) => notes.push(format!("skipped: {}: {error:#}", Release::Sid)),
    }
    let bundle = roots[1]
        .directory()
        .join("etc/ssl/certs/ca-certificates.crt");
    let bundle = fs::read(bundle).context("the root has no bundle")?;
    let places = [None].into_iter().chain(roots.iter().map(Some));
    let mut reports = Vec::new();
    for root in places {
        let place = Place::prepare(root, &bundle, parameters.locations)?;
        reports.push(report(&place, parameters)?);
        // After every place, so that a later failure loses nothing.
        if let Some(out) = &parameters.out {
            let all = raw::of(parameters, &bundle, &reports, &notes)?;
            let table = table::of(&reports, &notes);
            raw::write(
                &repository::root().join(out),
                &all,
                &table,
                &raw::csv(&reports),
            )?;
        }
    }
    print!("{}", table::of(&reports, &notes));
    let faults: usize = reports.iter().map(|report| report.faults.len()).sum();
    anyhow::ensure!(faults == 0, "{faults} predictions don't hold: see above");
    Ok(())
}

fn report(place: &Place, parameters: &Parameters) -> anyhow::Result<Report> {
    let mut report = Report {
        place: place.name(),
        is_released: place.is_released(),
        versions: place.versions()?,
        works: Vec::new(),
        faults: Vec::new(),
    };
    for work in Work::all(parameters.locations) {
        eprintln!("{}: {}", place.name(), work.name);
        let measured =
            Measured::of(place, work, parameters.repeats).with_context(|| place.name())?;
        let faults = verdict::on(&measured, report.is_released);
        report.faults.extend(faults);
        report.works.push(measured);
    }
    Ok(report)
}
