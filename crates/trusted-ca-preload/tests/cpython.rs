//! CPython's own test-suite of its `ssl` module, from the distribution: every test ends with the
//! library as it ends without.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;
use std::{fs, thread};

use crate::common::{MODES, Preload, Ran, installed, skipped};

/// The distribution's Python: the suite is of its version, and the OpenSSL is the distribution's.
const PYTHON: &str = "/usr/bin/python3";

/// How often a test that differed is run again, alone, in each way.
const TRIES: usize = 5;

/// What became of each test, by its full name: `passed`, `failed`, or `skipped` and why.
type Outcomes = BTreeMap<String, String>;

/// Runs modules of the suite, only tests of these names if there are any.
///
/// The network stays off, as it is by default: what needs hosts of the Internet skips itself. No
/// test is deselected.
fn suite(modules: &[&str], only: &BTreeSet<String>, way: Preload) -> (Outcomes, Ran) {
    let directory = tempfile::tempdir().expect("a directory for the results");
    let results = directory.path().join("results.xml");
    let mut command = Command::new(PYTHON);
    command
        .args(["-m", "test", "--junit-xml"])
        .arg(&results)
        .arg("--tempdir")
        .arg(directory.path())
        .args(only.iter().flat_map(|name| ["--match", name]))
        .args(modules)
        .current_dir(directory.path());
    let ran = Ran::to_end(&mut command, way);
    assert!(results.is_file(), "{way:?}: no results: {ran:?}");
    let outcomes = outcomes(&results);
    (outcomes, ran)
}

/// Reads results in JUnit's form, with Python's own XML parser.
///
/// A test of which a part failed (`subTest`) leaves an entry without a name, so it is missing here
/// and differs from one that passed.
fn outcomes(results: &Path) -> Outcomes {
    const READ: &str = "\
import sys, json, xml.etree.ElementTree as tree
outcomes = {}
for case in tree.parse(sys.argv[1]).iter('testcase'):
    words = [child.text for child in case.iter('skipped')]
    bad = [child.tag for child in case if child.tag in ('failure', 'error')]
    name = case.get('name')
    if name is None: continue
    assert name not in outcomes, name
    outcomes[name] = 'failed' if bad else f'skipped: {words[0]}' if words else 'passed'
print(json.dumps(outcomes))";
    let output = Command::new(PYTHON).args(["-I", "-c", READ]).arg(results).output();
    let output = output.expect("Python");
    assert!(output.status.success(), "{output:?}");
    serde_json::from_slice(&output.stdout).expect("names and outcomes")
}

/// Names of the tests that did not end alike, or that only one of the two has.
fn differing(one: &Outcomes, other: &Outcomes) -> BTreeSet<String> {
    let names = one.keys().chain(other.keys());
    let differs = |name: &&String| one.get(*name) != other.get(*name);
    names.filter(differs).cloned().collect()
}

/// Tests of which it can't be said that they end alike.
///
/// Some tests of the suite depend on time and may fail by themselves on a busy machine. So a
/// difference counts only if it repeats: the tests that differed are run again, alone, several
/// times in both ways, and one is cleared as soon as both ways had an outcome in common. A test
/// that always fails with the library and never without is never cleared.
fn differing_again(modules: &[&str], names: BTreeSet<String>, mode: Preload) -> BTreeSet<String> {
    let mut left = names;
    let mut seen = [BTreeSet::new(), BTreeSet::new()];
    for _ in 0..TRIES {
        if left.is_empty() {
            break;
        }
        for (way, seen) in [Preload::Without, mode].into_iter().zip(&mut seen) {
            seen.extend(suite(modules, &left, way).0);
        }
        left.retain(|name| {
            let of = |seen: &BTreeSet<(String, String)>| -> BTreeSet<String> {
                let mine = seen.iter().filter(|(test, _)| test == name);
                mine.map(|(_, outcome)| outcome.clone()).collect()
            };
            of(&seen[0]).is_disjoint(&of(&seen[1]))
        });
    }
    left
}

/// Runs modules of the suite without the library and in both ways, all at the same time: most of
/// their time they wait.
fn same_with_and_without(modules: &[&str]) -> (Outcomes, [Ran; 2]) {
    let none = BTreeSet::new();
    let [without, private, shared] = thread::scope(|scope| {
        [Preload::Without, MODES[0], MODES[1]]
            .map(|way| {
                let none = &none;
                scope.spawn(move || suite(modules, none, way))
            })
            .map(|run| run.join().expect("a run of the suite"))
    });
    for ((outcomes, _), mode) in [&private, &shared].into_iter().zip(MODES) {
        let differing = differing(&without.0, outcomes);
        let still = differing_again(modules, differing.clone(), mode);
        assert_eq!(
            still,
            BTreeSet::new(),
            "{mode:?}: these did not end alike once in {TRIES} tries; at first: {differing:?}"
        );
    }
    (without.0, [private.1, shared.1])
}

fn suite_is_installed() -> bool {
    if !installed(PYTHON) {
        return false;
    }
    let find = "import test.test_ssl";
    let found = Command::new(PYTHON).args(["-c", find]).output();
    let found = found.is_ok_and(|output| output.status.success());
    if !found {
        skipped("CPython's suite is not installed (libpython3.11-testsuite)");
    }
    found
}

#[test]
fn the_ssl_suite_ends_the_same() {
    if !suite_is_installed() {
        return;
    }
    let (outcomes, ran) = same_with_and_without(&["test_ssl"]);
    let passed = outcomes.values().filter(|outcome| *outcome == "passed");
    assert!(passed.count() > 100, "too few for the suite: {outcomes:?}");
    for (with, mode) in ran.iter().zip(MODES) {
        let process = with.counts.iter().max_by_key(|counts| counts.loads);
        let counts = process.unwrap_or_else(|| panic!("{mode:?}: nothing was loaded"));
        // The suite's bundles came with the package, so they are old enough to be remembered.
        assert!(counts.shared > 20, "{mode:?}: {counts:?}");
        eprintln!("{mode:?}: {} tests, {counts:?}", outcomes.len());
    }
}

#[test]
fn clients_of_ssl_end_the_same() {
    if !suite_is_installed() {
        return;
    }
    let modules = ["test_httplib", "test_urllib2_localnet", "test_asyncio.test_ssl"];
    let (outcomes, ran) = same_with_and_without(&modules);
    assert!(outcomes.len() > 50, "too few for these: {outcomes:?}");
    for (with, mode) in ran.iter().zip(MODES) {
        let shared: u64 = with.counts.iter().map(|counts| counts.shared).sum();
        assert!(shared > 0, "{mode:?}: {:?}", with.counts);
        eprintln!("{mode:?}: {} tests, {:?}", outcomes.len(), with.counts);
    }
}

/// The rule above, on outcomes made by hand.
#[test]
fn a_difference_is_seen() {
    let of = |pairs: &[(&str, &str)]| -> Outcomes {
        let pairs = pairs.iter();
        pairs.map(|(name, outcome)| (name.to_string(), outcome.to_string())).collect()
    };
    let without = of(&[("a", "passed"), ("b", "passed"), ("c", "skipped: no")]);
    let with = of(&[("a", "passed"), ("b", "failed"), ("d", "passed")]);
    let names: Vec<_> = differing(&without, &with).into_iter().collect();
    assert_eq!(names, ["b", "c", "d"]);
    assert!(differing(&without, &without).is_empty());
}

/// A suite in which one test really fails is told from one in which it passes.
#[test]
fn a_failing_test_is_read_as_failed() {
    if !installed(PYTHON) {
        return;
    }
    let directory = tempfile::tempdir().expect("a directory");
    let results = directory.path().join("results.xml");
    let xml = "<testsuites><testsuite>\
        <testcase name='a' status='run' />\
        <testcase name='b' status='run'><failure>why</failure></testcase>\
        <testcase name='c' status='run'><error>why</error></testcase>\
        <testcase name='d' status='run'><skipped>not here</skipped></testcase>\
        <testcase />\
        </testsuite></testsuites>";
    fs::write(&results, xml).expect("our own directory");
    let read = outcomes(&results);
    let read: Vec<(&str, &str)> = read.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect();
    let expected = [("a", "passed"), ("b", "failed"), ("c", "failed"), ("d", "skipped: not here")];
    assert_eq!(read, expected);
}
