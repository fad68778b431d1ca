//! A burst, and loading the bundle, with the glibc, the OpenSSL and the programs of several Debian
//! releases: with the program break free, and with a hole at it.
//!
//! The `brkhole` command is built once, in the oldest release's root, and `brkhole compare` is run
//! in each with that release's own programs. What differs between the releases is theirs.

mod figures;
mod verdict;
mod workload;

use crate::campaign::{Recorder, ReleaseOptions, bundle_size, judge};
use crate::testbed::Testbed;
use anyhow::Context;
pub use figures::{History, ReleaseFigures, WorkloadFigures};
use heap_meter::experiment::Results;
use roots::{BindMount, Root};
use serde_json::json;
use std::process::Stdio;
use workload::Workload;

const COMMAND: &str = "/command/brkhole";

/// How the figures are made of the runs.
const METHOD: [(&str, &str); 5] = [
    (
        "runs",
        "brkhole compare, in the release's root: time and memory of a run without stops, fallbacks \
         and brk calls of another that was traced",
    ),
    (
        "rss_bytes, peak_rss_bytes, wall_seconds",
        "median over the runs; rss_bytes as the command ended, its memory still there",
    ),
    ("fallback", "of the run whose count of fallbacks is the median"),
    ("seconds_per_context", "(wall_seconds of held - wall_seconds of one) / (contexts - 1)"),
    ("rss_bytes_per_context", "(rss_bytes of held - rss_bytes of one) / (contexts - 1)"),
];

/// Makes the roots, builds the command, measures, and prints the table. Fails when a root can't be
/// made, something can't be built or run, or a figure can't be what it is called; the others are
/// measured and kept all the same.
pub fn run(options: &ReleaseOptions) -> anyhow::Result<()> {
    let recorder = Recorder::open(options.out.as_deref())?;
    let roots = Root::all()?;
    eprintln!("{}: the command is built", roots[0].release);
    let command = roots[0].build("brkhole")?;
    let bundle = roots[1].bundle()?;
    let mut history = History {
        method: METHOD.map(|(name, how)| (name.into(), how.into())).into(),
        parameters: json!({
            "contexts": options.locations,
            "repeats": options.repeats,
            "blocks": workload::BLOCKS,
            "block_bytes": workload::BLOCK_BYTES,
            "bundle": bundle_size(&bundle),
        }),
        releases: Vec::new(),
    };
    for root in &roots {
        let command = BindMount::read_only(&command, "/command");
        let place = Testbed::new(Some(root), Some(command))?;
        place.write("bundle.pem", &bundle)?;
        for locations in [1, options.locations] {
            place.configure_nginx(true, locations)?;
        }
        place.compile("testbed/programs/burst.c", "burst", &[])?;
        let libraries = ["-lssl", "-lcrypto"];
        place.compile("testbed/programs/bundle.c", "bundle", &libraries)?;
        let measured = measured(&place, options, bundle.len())?;
        history.releases.push(measured);
        recorder.keep(&history)?;
    }
    judge(&history)
}

fn measured(
    place: &Testbed,
    options: &ReleaseOptions,
    bundle_bytes: usize,
) -> anyhow::Result<ReleaseFigures> {
    let versions = place.versions("glibc openssl lua_nginx_module curl")?;
    let mut release = ReleaseFigures::new(place.name(), versions);
    for workload in Workload::all(options.locations) {
        eprintln!("{}: {}", place.name(), workload.name);
        let steps = workload.steps.iter();
        let results = steps.map(|step| compared(place, &step.words, options.repeats));
        let results: Vec<Results> = results.collect::<anyhow::Result<_>>()?;
        let figures = WorkloadFigures::of(&workload, &results);
        let glibc = &release.versions["glibc"];
        let faults = verdict::on(&workload, &results, glibc, options.repeats);
        release.faults.extend(faults);
        let too_cheap = verdict::too_cheap(workload.name, &figures, bundle_bytes);
        release.faults.extend(too_cheap);
        release.workloads.insert(workload.name.to_owned(), figures);
    }
    Ok(release)
}

/// Has the command compare a program with its break free and with it blocked. Why it can't, it says
/// on standard error.
fn compared(place: &Testbed, words: &[String], repeats: u32) -> anyhow::Result<Results> {
    let output = place
        .command(COMMAND)?
        .args(["compare", "--format", "json", "--repeats"])
        .arg(repeats.to_string())
        .arg("--")
        .args(words)
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()?;
    let what = || format!("{}: brkhole compare -- {}", place.name(), words.join(" "));
    anyhow::ensure!(output.status.success(), "{}: {}", what(), output.status);
    serde_json::from_slice(&output.stdout).with_context(what)
}

#[cfg(test)]
mod tests;
