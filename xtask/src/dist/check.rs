//! The packages, tried where they will be installed: in a fresh root of each release, which has nginx
//! with the story's configuration and no compiler. What was typed and seen there is what the book shows.
//!
//! `runs/packages.txt` was seen once, in one release. In others, and on another day, sizes, times and
//! libraries' names differ; what is typed and what is found has to be the same, word by word.

use anyhow::Context;
use roots::repository::root;
use roots::{BindMount, Furniture, Release, Root};
use serde_json::Value;
use std::path::Path;
use std::process::{Command, Stdio};
use std::{fs, thread};

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
            settle(release, &seen, is_recording)?;
            println!("{release}: installed, found, cured, removed");
        }
        Ok(())
    })
}

/// What was typed and seen in a root of this release.
fn one(release: Release, packages: &Path) -> anyhow::Result<String> {
    let root = Root::furnished(release, Furniture::Server)?;
    let results = tempfile::tempdir().context("can't make a directory for results")?;
    let mounts =
        [BindMount::read_only(packages, PACKAGES), BindMount::writable(results.path(), RESULTS)];
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
    finding.map(|finding| finding["evidence"]["opens"].as_u64().context("no count")).transpose()
}

/// The release whose transcript is kept, and where.
const SHOWN: Release = Release::Bookworm;
const KEPT: &str = "runs/packages.txt";

/// Keeps what was seen in a release, or compares it with what is kept.
///
/// # Errors
/// When nothing is kept, or something else was typed or found.
fn settle(release: Release, seen: &str, is_recording: bool) -> anyhow::Result<()> {
    let file = root().join(KEPT);
    if is_recording {
        return match release == SHOWN {
            true => fs::write(&file, seen).context(KEPT),
            false => Ok(()),
        };
    }
    let kept = fs::read_to_string(&file).context(KEPT)?;
    let (kept, seen) = (told(&kept), told(seen));
    let differing = (0..kept.len().max(seen.len())).find(|&at| kept.get(at) != seen.get(at));
    if let Some(at) = differing {
        let line = |told: &[String]| told.get(at).cloned().unwrap_or_default();
        anyhow::bail!(
            "{KEPT} has\n  {}\nand {release} says\n  {}\n\
             `cargo xtask dist --check --record` writes it anew",
            line(&kept),
            line(&seen)
        );
    }
    Ok(())
}

/// How a command begins, and a finding of each severity.
const BEGINNINGS: [&str; 4] = ["$ ", "critical: ", "warning: ", "info: "];

/// The commands and the findings, one string each, without figures.
fn told(text: &str) -> Vec<String> {
    let mut told: Vec<String> = Vec::new();
    let mut is_within = false;
    for line in text.lines() {
        let begins = BEGINNINGS.iter().any(|beginning| line.starts_with(beginning));
        // A finding's further lines are set in, and end with an empty one.
        is_within = begins || (is_within && line.starts_with("  "));
        if begins {
            told.push(words(line));
        } else if is_within && let Some(last) = told.last_mut() {
            *last = format!("{last} {}", words(line));
        }
    }
    told
}

/// The words of a line that are neither figures nor their units.
fn words(line: &str) -> String {
    const UNITS: [&str; 4] = ["B", "KiB", "MiB", "GiB"];
    let is_figure = |word: &&str| {
        word.starts_with(|c: char| c.is_ascii_digit())
            || UNITS.contains(&word.trim_end_matches([',', ':', ';', '.']))
    };
    let words: Vec<_> = line.split_whitespace().filter(|word| !is_figure(word)).collect();
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::told;

    const KEPT: &str = "\
$ brkhole trace nginx -t
nginx: syntax is ok
 brk            642

warning: /etc/a.crt was read 100 times, and while it was being read
  memory grew by 80.4 MiB, 824 KiB each time. nginx does it once since 1.27.2.

$ true
";

    #[test]
    fn commands_and_findings_count_without_their_figures() {
        let wrapped_otherwise = KEPT
            .replace("read\n  memory", "read memory\n ")
            .replace("80.4 MiB, 824 KiB", "7 MiB, 1,824 KiB")
            .replace("642", "643");
        assert_eq!(told(KEPT), told(&wrapped_otherwise));
        assert_eq!(told(KEPT).len(), 3);
        for (old, new) in [("grew", "shrank"), ("nginx -t", "nginx -T"), ("$ true\n", "")] {
            assert_ne!(told(KEPT), told(&KEPT.replace(old, new)), "{old}");
        }
    }
}
