//! Processes that end while they are looked into: counted as gone, or told in full and rightly.
//!
//! They are forks of one that stands still, and leave their heap as it was, so that each has the
//! malloc and the break of that one.

use std::os::unix::fs::symlink;
use std::process::Command;

use serde_json::Value;

use crate::common::{compiled, output, processes};
use crate::inspect::target::undisturbed;
use crate::inspect::watch::Running;
use suite::answering::Answering;
use suite::waiting::children;

fn rounds() -> usize {
    suite::rounds(10, 100) as usize
}

/// Each has one process after the other made. They stay themselves, as does the first of all.
const WORKERS: usize = 6;
const STAY: usize = WORKERS + 1;

/// A process that has others made for a moment each; they end with the value.
struct Brief {
    first: Answering,
    /// A name that no other process has.
    name: String,
    /// Malloc and break of each of them.
    known: [Value; 2],
}

impl Brief {
    fn start(name: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let name = format!("{name}{}", std::process::id());
        let program = directory.path().join(&name);
        symlink(compiled("brief"), &program).unwrap();
        let mut command = Command::new(program);
        command.args([&WORKERS.to_string(), "200000"]);
        let mut first = Answering::start(undisturbed(&mut command));
        assert_eq!(first.hear(), "ready");
        let mut brief = Self { first, name, known: Default::default() };
        let report = processes(&["inspect", &brief.first.pid().to_string()]);
        brief.known = told(&report[0]);
        let returnable = &brief.known[0]["returnable_bytes"];
        // 100 blocks of 10,000 bytes are free: of two or three pages in each, one at least is whole.
        assert!(returnable.as_u64() >= Some(100 * 4096), "{report}");
        brief
    }

    /// The numbers of all that live at this moment, those that live longest last.
    fn pids(&self) -> Vec<i32> {
        let own = self.first.pid();
        let workers = children(own);
        let brief: Vec<i32> = workers.iter().flat_map(|pid| children(*pid)).collect();
        [brief, workers, vec![own]].concat()
    }

    /// How many of the processes of a report are of these, each of which has to be told rightly.
    fn check(&self, report: &Value) -> usize {
        let processes = report["processes"].as_array().expect("a list");
        let brief = processes.iter().filter(|each| each["comm"] == self.name.as_str());
        let rightly = |process: &Value| {
            assert_eq!(told(process), self.known, "{process}");
            let rss = process["rss_bytes"].as_u64();
            assert!(rss > self.known[0]["returnable_bytes"].as_u64(), "{process}");
        };
        brief.inspect(|process| rightly(process)).count()
    }
}

fn told(process: &Value) -> [Value; 2] {
    ["malloc", "break"].map(|name| process[name].clone())
}

/// The number before words in each of the lines, all together.
fn counted(lines: &str, words: &str) -> usize {
    let before = lines.split(words).collect::<Vec<_>>();
    let (_, before) = before.split_last().expect("at least one piece");
    let numbers = before.iter().map(|text| {
        let number = text.trim_end().rsplit(' ').next().unwrap_or_default();
        number.replace(',', "").parse::<usize>().expect("a number")
    });
    numbers.sum()
}

#[test]
fn among_all_processes_again_and_again() {
    let brief = Brief::start("all");
    // How many of them still live when their turn comes is the machine's affair.
    watched(&brief, &["--all"], 5);
}

#[test]
fn among_those_of_a_name_again_and_again() {
    let brief = Brief::start("comm");
    let (seen, said) = watched(&brief, &["--comm", &brief.name], rounds());
    assert!(seen > STAY * rounds(), "some live long enough");
    assert!(!said.contains("another reason"), "{said}");
}

/// How many of these processes were looked into, in so many rounds, and what was said of the others.
fn watched(brief: &Brief, which: &[&str], rounds: usize) -> (usize, String) {
    let how = ["inspect", "--watch", "0.001", "--format", "json"];
    let mut watching = Running::start(&[&how, which].concat());
    let mut seen = 0;
    for line in watching.lines().take(rounds) {
        let report = serde_json::from_str(&line).unwrap_or_else(|_| panic!("no document: {line}"));
        let of_these = brief.check(&report);
        assert!(of_these >= STAY, "those that stay are there always: {line}");
        seen += of_these;
    }
    // Nobody reads any more.
    let said = watching.complaint();
    assert_eq!(watching.status(), Some(0), "{said}");
    let gone = counted(&said, "ended meanwhile");
    println!("{seen} looked into, {gone} gone");
    assert!(gone > 0, "some don't: {said}");
    (seen, said)
}

#[test]
fn named_again_and_again() {
    let brief = Brief::start("named");
    let (mut seen, mut gone) = (0, 0);
    for _ in 0..rounds() {
        let pids = brief.pids();
        let words = pids.iter().map(i32::to_string).collect::<Vec<_>>();
        let mut arguments = vec!["inspect", "--format", "json"];
        arguments.extend(words.iter().map(String::as_str));
        let inspected = output(&arguments);
        let said = String::from_utf8(inspected.stderr).expect("text");
        let report: Value = serde_json::from_slice(&inspected.stdout).expect("JSON");
        let told = brief.check(&report);
        assert_eq!(report["processes"].as_array().map(Vec::len), Some(told), "{report}");
        let missing = pids.len() - told;
        assert_eq!(said.lines().count(), missing, "{said}");
        assert_eq!(inspected.status.code(), Some(i32::from(missing > 0)));
        let is_gone = |line: &str| line.contains("ended") || line.contains("no such process");
        assert!(said.lines().all(is_gone), "{said}");
        seen += told;
        gone += missing;
    }
    println!("{seen} looked into, {gone} gone");
    assert!(seen >= STAY * rounds(), "those that stay are there always");
    assert!(gone > 0, "some don't");
}
