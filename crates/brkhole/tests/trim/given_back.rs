//! What is given back is what was predicted, and the program goes on.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use suite::answering::Answering;

use crate::common::compile::compiled;
use crate::common::{self, brkhole, installed, processes, skipped};
use crate::trim::harness::{
    Target, assert_as_predicted, figure, refused, refused_by, reports, trim, trimmed,
};

/// Most of what these programs have is free.
const AT_LEAST_BYTES: u64 = 100 << 20;

fn keeps(state: &str, threads: &str) -> serde_json::Value {
    let mut target = Target::started("keeps", &[state, threads], "ready");
    let report = trimmed(target.pid());
    assert_as_predicted(&report);
    assert!(figure(&report, "returned_bytes") > AT_LEAST_BYTES);
    let (before, after) = (figure(&report, "rss_before_bytes"), figure(&report, "rss_after_bytes"));
    assert_eq!(before - after, figure(&report, "returned_bytes"));
    assert!(report["held_seconds"].as_f64() >= report["call_seconds"].as_f64());
    target.is_well();
    // What the program itself has freed since is all that is left.
    let again = trimmed(target.pid());
    assert_as_predicted(&again);
    assert!(figure(&again, "returned_bytes") < AT_LEAST_BYTES / 10, "{again:#}");
    target.is_well();
    target.ends();
    report
}

#[test]
fn break_free() {
    let report = keeps("free", "1");
    assert_eq!(report["malloc_before"]["non_contiguous"], false);
    assert_eq!(report["threads"], 1);
    assert_eq!(report["comm"], "brkhole-trim_ke");
}

#[test]
fn break_blocked() {
    let report = keeps("blocked", "1");
    assert_eq!(report["malloc_before"]["non_contiguous"], true);
}

#[test]
fn eight_threads_and_their_arenas() {
    let report = keeps("free", "8");
    assert_eq!(report["threads"], 8);
    let arenas = report["malloc_before"]["arenas"].as_array().unwrap().len();
    assert!(arenas > 1, "{report:#}");
}

/// A thread that the kernel made, which never runs the program's code, is never inside malloc.
#[test]
fn beside_a_thread_of_the_kernels() {
    let mut target = Target::started("keeps", &["polled", "1"], "ready");
    let tasks = std::fs::read_dir(format!("/proc/{}/task", target.pid())).unwrap();
    if tasks.count() == 1 {
        return skipped("the kernel permits no io_uring (/proc/sys/kernel/io_uring_disabled)");
    }
    let report = trimmed(target.pid());
    assert_eq!(figure(&report, "threads"), 2);
    assert_as_predicted(&report);
    assert!(figure(&report, "returned_bytes") > AT_LEAST_BYTES);
    target.is_well();
    target.ends();
}

/// rustc's linker is lld, which lays out a file's segments otherwise than a C compiler's.
#[test]
fn a_program_that_rustc_linked() {
    let own_pid = std::process::id().to_string();
    let mut watcher = brkhole(&["inspect", "--watch", "3600", &own_pid]);
    let mut watcher = watcher.stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(watcher.stdout.take().unwrap()).lines();
    lines.next().expect("it has looked").unwrap();
    trimmed(watcher.id() as i32);
    watcher.kill().unwrap();
    watcher.wait().unwrap();
}

#[test]
fn python() {
    const PYTHON: &str = "/usr/bin/python3";
    if !installed(PYTHON) {
        return;
    }
    let script = "
import sys
kept = []
data = [bytes(1000 + i % 3000) for i in range(40000)]
kept = data[::50]
sums = [sum(block) + len(block) for block in kept]
del data
print('ready', flush=True)
for line in sys.stdin:
    assert sums == [sum(block) + len(block) for block in kept]
    more = [bytes(i) for i in range(5000)]
    print('well', flush=True)
";
    let mut target = Target::of(Command::new(PYTHON).args(["-c", script]), "ready");
    let report = trimmed(target.pid());
    assert_as_predicted(&report);
    assert!(figure(&report, "returned_bytes") > AT_LEAST_BYTES / 4, "{report:#}");
    target.is_well();
    target.ends();
}

/// A static program has malloc's symbols as long as nobody strips them.
#[test]
fn static_program() {
    let started = |name: &str, arguments: &[&str]| {
        let name = format!("brkhole-trim_keeps-{name}");
        let program = compiled("programs/trim_keeps.c", &name, arguments);
        Target::of(Command::new(program).args(["free", "2"]), "ready")
    };
    let mut target = started("static", &["-O1", "-static", "-DSTATIC"]);
    let report = trimmed(target.pid());
    assert_as_predicted(&report);
    assert_eq!(report["allocator"], "static glibc");
    target.is_well();
    let pie = started("pie", &["-O1", "-static-pie", "-DSTATIC"]);
    refused_and_not_promised(pie.pid(), &["static-pie", "local"]);
    let mut stripped = started("stripped", &["-O1", "-static", "-DSTATIC", "-s"]);
    refused_and_not_promised(stripped.pid(), &["no symbol malloc", "stripped"]);
    stripped.is_well();
}

/// Neither does a dry run tell what it would give back, nor is it sent there without a word.
fn refused_and_not_promised(pid: i32, words: &[&str]) {
    refused(pid, words);
    let pid = pid.to_string();
    refused_by(&mut brkhole(&["trim", "--dry-run", &pid]), words);
    let findings = processes(&["inspect", &pid])[0]["findings"].clone();
    let found = findings.as_array().unwrap().iter();
    let remedies = found.filter_map(|finding| finding["remedy"].as_str());
    let mut remedy = remedies.filter(|remedy| remedy.contains("brkhole trim"));
    let remedy = remedy.next().unwrap();
    assert!(remedy.contains("would refuse this one") && remedy.contains(words[0]), "{remedy}");
}

/// The machine gets a page back once the last of those that share it has given it back.
#[test]
fn what_several_share_is_told_beside_the_sum() {
    let mut program = Answering::start(&mut Command::new(common::compiled("prefork")));
    let said = program.hear();
    let pids: Vec<&str> = said.split(' ').collect();
    let told = |dry: &[&str]| {
        let output = trim(&[dry, &pids[..]].concat());
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        text.split("\n\n").next().unwrap_or_default().replace("\n  ", " ")
    };
    let would = told(&["--dry-run"]);
    assert!(would.starts_with("4 processes would give back "), "{would}");
    assert!(
        would.contains(", of which at least ")
            && would.ends_with("are shared with other processes"),
        "{would}"
    );
    let (status, reports) = reports(&pids);
    assert_eq!(status, 0);
    let sum = |name| reports.iter().map(|report| figure(report, name)).sum::<u64>();
    let (returned, shared) = (sum("returned_bytes"), sum("returned_shared_bytes"));
    // Three of the four gave back what another one still had.
    assert!((returned * 70 / 100..returned * 80 / 100).contains(&shared), "{shared} of {returned}");
}

#[test]
fn several_one_after_the_other() {
    let mut targets = [1, 2].map(|threads: i32| {
        let threads = threads.to_string();
        Target::started("keeps", &["free", &threads], "ready")
    });
    let pids = targets.each_ref().map(|target| target.pid().to_string());
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("page.html");
    let html = file.to_str().unwrap();
    let (status, reports) = reports(&["--html", html, "999999999", &pids[0], &pids[1]]);
    assert_eq!(status, 1, "one isn't there");
    let page = std::fs::read_to_string(&file).unwrap();
    assert!(page.contains("<h1>2 processes gave back "), "{page}");
    assert!(page.contains("MiB; 1 not trimmed</h1>"), "{page}");
    assert!(page.contains("note: process 999999999: ") && page.contains("<th scope"), "{page}");
    let outcomes: Vec<_> = reports.iter().map(|report| &report["outcome"]).collect();
    assert_eq!(outcomes, ["refused", "trimmed", "trimmed"]);
    reports[1..].iter().for_each(assert_as_predicted);
    targets.iter_mut().for_each(Target::is_well);
}
