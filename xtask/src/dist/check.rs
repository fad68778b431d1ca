//! The packages, tried where they will be installed: in a fresh root of each release, which has nginx
//! with the story's configuration and no compiler.

use super::transcript;
use anyhow::Context;
use roots::{BindMount, Furniture, Release, Root};
use serde_json::Value;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;

/// What is typed there.
const SCRIPT: &str = include_str!("five-minutes.sh");

/// Inside a root: the packages, and what the script leaves.
const PACKAGES: &str = "/packages";
const RESULTS: &str = "/results";

/// The file whose reading makes nginx grow, and how often it is read.
const BUNDLE: &str = "/etc/ssl/certs/ca-certificates.crt";
const LOCATIONS: u64 = 100;

/// Tries the packages in each of these releases, all at once, and compares what was seen with what
/// is committed, or keeps it.
///
/// # Errors
///
/// When a root can't be made, a package can't be installed, or the finding isn't there before, or
/// is still there after.
pub fn run(releases: &[Release], packages: &Path, is_recording: bool) -> anyhow::Result<()> {
    thread::scope(|scope| {
        let tries: Vec<_> = releases
            .iter()
            .map(|&release| {
                let tried = move || one(release, packages).with_context(|| format!("in {release}"));
                (release, scope.spawn(tried))
            })
            .collect();
        for (release, tried) in tries {
            let seen = tried.join().expect("a try doesn't panic")?;
            transcript::settle(release, &seen, is_recording)?;
            println!("{release}: installed, found, cured, removed");
        }
        Ok(())
    })
}

/// What was typed and seen in a root of this release.
fn one(release: Release, packages: &Path) -> anyhow::Result<String> {
    let root = Root::furnished(release, Furniture::Server)?;
    let results = tempfile::tempdir().context("can't make a directory for results")?;
    let mounts = [
        BindMount::read_only(packages, PACKAGES),
        BindMount::writable(results.path(), RESULTS),
    ];
    let mut shell: Command = root.command_in_layer("sh", &mounts)?;
    let output = shell.args(["-c", SCRIPT]).stdin(Stdio::null()).output()?;
    let seen = String::from_utf8_lossy(&output.stdout).into_owned();
    let log = fs::read_to_string(results.path().join("log")).unwrap_or_default();
    anyhow::ensure!(
        output.status.success(),
        "{}:\n{seen}{}{log}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    let openings = |name: &str| -> anyhow::Result<Option<u64>> {
        let text = fs::read_to_string(results.path().join(name)).context(name.to_owned())?;
        repeated_reading(&serde_json::from_str(&text)?)
    };
    let before = openings("before.json")?;
    anyhow::ensure!(
        before.is_some_and(|times| times >= LOCATIONS),
        "{BUNDLE} is read in {LOCATIONS} locations, and the finding has {before:?}:\n{seen}"
    );
    let after = openings("after.json")?;
    anyhow::ensure!(after.is_none(), "still found with the library:\n{seen}");
    Ok(seen)
}

/// How often the bundle was read, if there is a finding that says so.
fn repeated_reading(report: &Value) -> anyhow::Result<Option<u64>> {
    let findings = report["findings"].as_array().context("no findings")?;
    let finding = findings.iter().find(|finding| {
        finding["kind"] == "repeated-file" && finding["evidence"]["path"] == BUNDLE
    });
    finding
        .map(|finding| finding["evidence"]["opens"].as_u64().context("no count"))
        .transpose()
}
