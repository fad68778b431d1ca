//! More than one process, and what spreadsheets read.

use std::process::Command;

use serde_json::Value;

use crate::common::{compiled, installed, output, processes};
use crate::inspect::target::Keeps;

#[test]
fn in_the_order_in_which_they_are_named() {
    let (small, big) = (Keeps::free(64), Keeps::blocked(1024));
    let report = processes(&["inspect", &small.number(), &big.number(), &small.number()]);
    let pids: Vec<&Value> = report.as_array().unwrap().iter().map(|each| &each["pid"]).collect();
    assert_eq!(pids, [small.pid(), big.pid()], "each once");
}

#[test]
fn those_that_top_leaves_out_are_counted() {
    let (small, big) = (Keeps::free(64), Keeps::blocked(1024));
    let table = output(&["inspect", "--top", "1", &small.number(), &big.number()]);
    let table = String::from_utf8(table.stdout).unwrap();
    assert!(table.contains("1 more is not shown (--top 2)"), "{table}");
    assert!(table.contains(&small.number()) && !table.contains(&big.number()), "{table}");
}

#[test]
fn a_thread_is_not_taken_for_a_process() {
    let (program, own) = (Keeps::free(64), std::process::id());
    // Not the first one, on which a test may run.
    let another = std::thread::spawn(move || {
        let tid = nix::unistd::gettid().to_string();
        output(&["inspect", &tid, &program.number()])
    });
    let refused = another.join().unwrap();
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    let right = format!("this is a thread of process {own}: give {own}");
    assert!(refused.status.code() == Some(1) && said.contains(&right), "{refused:?}");
}

#[test]
fn csv_is_read_by_others() {
    const PYTHON: &str = "/usr/bin/python3";
    if !installed(PYTHON) {
        return;
    }
    // A command name is whatever the file is called.
    let directory = tempfile::tempdir().unwrap();
    let program = directory.path().join("a,\"b\" c");
    let status = Command::new("cp").arg(compiled("keeps")).arg(&program).status();
    assert!(status.unwrap().success());
    let odd = Keeps::start(&program, "hole", 256, 0);
    let plain = Keeps::free(256);
    let rows = directory.path().join("rows.csv");
    let written = output(&[
        "inspect",
        "--format",
        "csv",
        "-o",
        rows.to_str().unwrap(),
        &odd.number(),
        &plain.number(),
    ]);
    assert!(written.status.success(), "{written:?}");
    let script = "import csv, json, sys; \
                  json.dump(list(csv.DictReader(open(sys.argv[1], newline=''))), sys.stdout)";
    let read = Command::new(PYTHON).args(["-c", script]).arg(&rows).output();
    let read: Value = serde_json::from_slice(&read.unwrap().stdout).unwrap();
    let rows = read.as_array().unwrap();
    assert_eq!(rows.len(), 2);
    assert_eq!(rows[0]["comm"], "a,\"b\" c");
    assert_eq!(rows[0]["pid"], odd.number());
    assert_eq!(rows[0]["break_state"], "blocked");
    assert_eq!(rows[1]["break_state"], "ok");
    let findings = rows[0]["findings"].as_str().unwrap();
    assert!(findings.split(' ').any(|kind| kind == "break-blocked"), "{findings}");
    for row in rows {
        let known = row.as_object().unwrap();
        assert!(known.values().all(Value::is_string), "as many fields as names: {row}");
        for name in ["rss_bytes", "malloc_system_bytes", "malloc_returnable_bytes"] {
            let figure = row[name].as_str().unwrap().parse::<u64>();
            assert!(figure.is_ok_and(|bytes| bytes > 0), "{name}: {row}");
        }
    }
}
