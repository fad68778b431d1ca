//! `--all` and `--comm`.

use std::process::Command;

use serde_json::Value;

use crate::common::{compiled, output, processes};
use crate::inspect::target::Keeps;

fn returnable(process: &Value) -> u64 {
    process["malloc"]["returnable_bytes"].as_u64().unwrap_or(0)
}

#[test]
fn those_that_could_return_most_come_first() {
    let (fat, thin) = (Keeps::free(16384), Keeps::free(64));
    // Among many each has little time: on a busy machine it may take more than one look.
    let known = |report: &Value, pid: i32| {
        let mut processes = report["processes"].as_array().unwrap().iter();
        let found = processes.find(|each| each["pid"] == pid).unwrap();
        !found["malloc"]["returnable_bytes"].is_null()
    };
    let (document, report) = suite::waiting::until("both are known", || {
        let document = output(&["inspect", "--all", "--format", "json"]);
        assert!(document.status.success(), "what can't be read is no failure");
        let report: Value = serde_json::from_slice(&document.stdout).unwrap();
        let both = known(&report, fat.pid()) && known(&report, thin.pid());
        both.then_some((document, report))
    });
    let processes = report["processes"].as_array().unwrap();
    let place = |pid: i32| processes.iter().position(|each| each["pid"] == pid);
    let (first, second) = (place(fat.pid()).unwrap(), place(thin.pid()).unwrap());
    assert!(first < second);
    let found = &processes[first];
    assert!(fat.returnable_bytes().contains(&returnable(found)), "{found}");
    assert_eq!(found["rss_exact"], false);
    assert!(found["rss_bytes"].as_u64() > Some(returnable(found)), "{found}");
    let all: Vec<u64> = processes.iter().map(returnable).collect();
    assert!(all.is_sorted_by(|before, after| before >= after), "{all:?}");
    let own = std::process::id();
    assert!(processes.iter().any(|each| each["pid"] == own), "this test too");

    // What was not looked into is counted: on stderr, and below the table. Kernel threads are, where
    // any are visible.
    let note = String::from_utf8(document.stderr).unwrap();
    let table = suite::waiting::until("the table has it, too", || {
        let table = String::from_utf8(output(&["inspect", "--all"]).stdout).unwrap();
        table.contains(&fat.number()).then_some(table)
    });
    for words in ["not looked into", "of the kernel's own"] {
        let flat = table.replace("\n  ", " ");
        assert_eq!(flat.contains(words), note.contains(words), "{words}: {table}{note}");
    }
    let rows = table.split("\n\n").nth(1).unwrap().lines().count();
    assert!((2..=21).contains(&rows), "a heading and up to twenty: {table}");
}

#[test]
fn only_those_of_a_name_that_the_kernel_cut_short() {
    let directory = tempfile::tempdir().unwrap();
    let name = format!("keeps{}-and-more", std::process::id());
    let program = directory.path().join(&name);
    let status = Command::new("cp").arg(compiled("keeps")).arg(&program).status();
    assert!(status.unwrap().success());
    let targets = [1024, 64, 2048].map(|blocks| Keeps::start(&program, "free", blocks, 0));
    let report = processes(&["inspect", "--comm", &name]);
    let pids: Vec<&Value> = report.as_array().unwrap().iter().map(|each| &each["pid"]).collect();
    assert_eq!(pids, [targets[2].pid(), targets[0].pid(), targets[1].pid()]);

    let first = processes(&["inspect", "--comm", &name, "--top", "1"]);
    assert_eq!(first.as_array().map(Vec::len), Some(1));
    assert_eq!(first[0]["pid"], targets[2].pid());

    let table = output(&["inspect", "--comm", &name, "--top", "2"]);
    let table = String::from_utf8(table.stdout).unwrap();
    assert!(table.contains(&targets[2].number()) && table.contains(&targets[0].number()));
    assert!(!table.contains(&format!("{} ", targets[1].number())), "{table}");
    assert!(table.contains("3 processes") && table.contains("1 more"), "{table}");
}
