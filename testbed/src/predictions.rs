//! What malloc_trim(3) would give back, predicted from outside, against what it gives back: for
//! several programs, with the glibc of this machine and of Debian releases.
//!
//! Each program says when it stands still. Then it is weighed and looked into, has malloc give back
//! what it can, and is weighed again.

mod program;
mod results;

use crate::campaign::{Recorder, ReleaseOptions, bundle_size, judge};
use crate::testbed::Testbed;
use anyhow::Context;
use proc_memory::{Process, Snapshot};
use program::{Started, TrimmedProgram};
use ptmalloc::Examiner;
pub use results::{PlacePredictions, Prediction, Predictions, ProgramPredictions, TrimRun};
use roots::{Release, Root};
use serde_json::json;
use std::time::Instant;

const SOURCES: &str = "testbed/programs";

const METHOD: [(&str, &str); 3] = [
    (
        "predicted_bytes",
        "returnable_bytes of malloc, read from outside while the program stands still",
    ),
    ("given_back_bytes", "rss_bytes before - rss_bytes after the program's own malloc_trim(0)"),
    ("difference_bytes", "predicted_bytes - given_back_bytes"),
];

/// Measures on this machine and in every release's root. Fails when a root of a release can't be
/// made, a program can't be built or run, or a prediction is wrong; the others are measured and kept
/// all the same. Where no root of Debian's unreleased sid can be made, that is noted.
pub fn run(options: &ReleaseOptions) -> anyhow::Result<()> {
    let recorder = Recorder::open(options.out.as_deref())?;
    let mut roots = Root::all()?;
    let bundle = roots[1].bundle()?;
    let mut predictions = Predictions {
        method: METHOD.map(|(name, what)| (name.into(), what.into())).into(),
        parameters: json!({
            "locations": options.locations,
            "repeats": options.repeats,
            "bundle": bundle_size(&bundle),
        }),
        places: Vec::new(),
        notes: Vec::new(),
    };
    match Root::make(Release::Sid) {
        Ok(root) => roots.push(root),
        Err(error) => {
            let note = format!("skipped: {}: {error:#}", Release::Sid);
            predictions.notes.push(note);
        }
    }
    for root in [None].into_iter().chain(roots.iter().map(Some)) {
        let place = Testbed::new(root, None)?;
        place.write("bundle.pem", &bundle)?;
        place.configure_nginx(true, options.locations)?;
        for (source, program, flags) in [
            ("blocks.c", "blocks", &[][..]),
            ("arenas.c", "arenas", &["-pthread"]),
            ("trimmer.c", "trimmer.so", &["-shared", "-fPIC"]),
        ] {
            place.compile(&format!("{SOURCES}/{source}"), program, flags)?;
        }
        predictions.places.push(measured(&place, options)?);
        recorder.keep(&predictions)?;
    }
    judge(&predictions)
}

fn measured(place: &Testbed, options: &ReleaseOptions) -> anyhow::Result<PlacePredictions> {
    let mut programs = Vec::new();
    for program in TrimmedProgram::all(place, options.locations) {
        eprintln!("{}: {}", place.name(), program.name);
        let runs = (0..options.repeats).map(|_| trimmed(place, &program));
        let runs = runs.collect::<anyhow::Result<_>>();
        let runs = runs.with_context(|| place.name())?;
        programs.push(ProgramPredictions::of(program.name, runs));
    }
    let versions = place.versions("glibc nginx python perl")?;
    Ok(PlacePredictions::of(place, versions, programs))
}

fn trimmed(place: &Testbed, program: &TrimmedProgram) -> anyhow::Result<TrimRun> {
    let mut started = Started::still(program, place)?;
    let process = Process::open(started.pid)?;
    let before = Snapshot::of(started.pid)?;
    let since = Instant::now();
    let found = Examiner::new().examine(&process);
    let examined_seconds = since.elapsed().as_secs_f64();
    started.trim()?;
    let after = Snapshot::of(started.pid)?;
    let state = found.state.map_err(|unknown| unknown.to_string());
    let given_back = before.rss_bytes.cast_signed() - after.rss_bytes.cast_signed();
    Ok(TrimRun {
        prediction: Prediction::of(state.as_ref(), given_back),
        allocator: found.allocator.map(|allocator| allocator.to_string()),
        malloc: json!(state.ok()),
        examined_seconds,
        before,
        after,
    })
}
