//! The same threads under valgrind's helgrind, which sees two threads at one place that nothing
//! keeps apart.
//!
//! OpenSSL has such places of its own: it looks at a flag before it takes the lock that guards it.
//! So the reports are read here, and one is ours if on either side of it this library, or what it
//! called in libc, was at the place. Nothing is suppressed.

use std::fs;
use std::process::Command;

use super::bundles::{Bundles, program};
use crate::common::{MODES, Preload, Ran, installed};

const THREADS: u64 = 6;
const BUNDLES: usize = 2;

/// One report: its kind, and for each thread that takes part the objects on its stack, innermost
/// first.
#[derive(Debug)]
struct Report {
    text: String,
    stacks: Vec<Vec<String>>,
}

impl Report {
    /// Reads what helgrind wrote as XML: an element a line.
    fn all(xml: &str) -> Vec<Self> {
        let errors = xml.split("<error>").skip(1);
        errors
            .map(|error| {
                let error = error.split("</error>").next().unwrap_or(error);
                let stacks = error.split("<stack>").skip(1).map(|stack| {
                    let frames = stack.split("<frame>").skip(1);
                    let object = |frame: &str| between(frame, "<obj>", "</obj>").to_owned();
                    frames.map(object).collect()
                });
                Self { text: error.to_owned(), stacks: stacks.collect() }
            })
            .collect()
    }

    /// Whether this library was at the place. libc and valgrind's stand-in for malloc act for
    /// whoever called them.
    fn is_ours(&self) -> bool {
        self.stacks.iter().any(|stack| {
            let acts_for_others =
                |object: &&String| object.contains("vgpreload") || object.contains("/libc.so");
            let actor = stack.iter().find(|object| !acts_for_others(object));
            actor.is_some_and(|object| object.contains("libtrusted_ca_preload"))
        })
    }
}

fn between<'a>(text: &'a str, from: &str, to: &str) -> &'a str {
    let rest = text.split_once(from).map_or("", |(_, rest)| rest);
    rest.split_once(to).map_or("", |(inside, _)| inside)
}

#[test]
fn no_race_is_this_librarys() {
    if !installed("valgrind") {
        return;
    }
    let Some(bundles) = Bundles::new() else {
        return;
    };
    let directory = tempfile::tempdir().expect("a directory for reports");
    let xml = directory.path().join("reports.xml");
    let rounds = 1;
    for mode in MODES {
        let mut command = Command::new("valgrind");
        command
            .args(["--quiet", "--tool=helgrind", "--error-limit=no", "--xml=yes"])
            .args(["--num-callers=30", "--fair-sched=yes"])
            .arg(format!("--xml-file={}", xml.display()))
            .arg(program("churn"));
        bundles.churn(&mut command, THREADS, rounds, BUNDLES);
        let ran = Ran::to_end(&mut command, mode);
        assert_eq!(
            ran.stdout,
            format!("{} rounds, 0 wrong\n", THREADS * rounds),
            "{mode:?}: {ran:?}"
        );
        assert!(ran.only_counts().shared > 0, "{mode:?}: {ran:?}");
        let text = fs::read_to_string(&xml).expect("helgrind writes its reports");
        assert!(text.contains("</valgrindoutput>"), "{mode:?}: cut short");
        for report in Report::all(&text) {
            assert!(!report.is_ours(), "{mode:?}: {}", report.text);
        }
    }
}

/// The reports of a program that races in plain sight are read as such.
#[test]
fn a_race_would_be_seen() {
    if !installed("valgrind") {
        return;
    }
    let directory = tempfile::tempdir().expect("a directory for reports");
    let xml = directory.path().join("reports.xml");
    let mut command = Command::new("valgrind");
    command
        .args(["--quiet", "--tool=helgrind", "--xml=yes"])
        .arg(format!("--xml-file={}", xml.display()))
        .arg(program("racing"));
    Ran::to_end(&mut command, Preload::Without);
    let text = fs::read_to_string(&xml).expect("helgrind writes its reports");
    // As if the library were where the program is.
    let renamed = text.replace("/racing</obj>", "/libtrusted_ca_preload.so</obj>");
    assert_ne!(text, renamed, "{text}");
    assert!(Report::all(&renamed).iter().any(Report::is_ours), "{text}");
    assert!(!Report::all(&text).iter().any(Report::is_ours), "{text}");
}
