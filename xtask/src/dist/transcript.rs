//! What was typed and seen, as the book shows it.
//!
//! `runs/packages.txt` was seen once, in one release. In others, and on another day, sizes, times and
//! libraries' names differ; what is typed and what is found has to be the same, word by word.

use crate::documents::root;
use anyhow::Context;
use roots::Release;
use std::fs;

/// The release whose transcript is kept, and where.
const SHOWN: Release = Release::Bookworm;
const KEPT: &str = "runs/packages.txt";

/// Keeps what was seen in a release, or compares it with what is kept.
///
/// # Errors
///
/// When nothing is kept, or something else was typed or found.
pub fn settle(release: Release, seen: &str, is_recording: bool) -> anyhow::Result<()> {
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
        let begins = BEGINNINGS
            .iter()
            .any(|beginning| line.starts_with(beginning));
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
    let words: Vec<_> = line
        .split_whitespace()
        .filter(|word| !is_figure(word))
        .collect();
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
        for (old, new) in [
            ("grew", "shrank"),
            ("nginx -t", "nginx -T"),
            ("$ true\n", ""),
        ] {
            assert_ne!(told(KEPT), told(&KEPT.replace(old, new)), "{old}");
        }
    }
}
