//! Whose memory it is.

use std::process::Command;

use serde_json::Value;

use crate::common::{compiled, kinds, output, processes, skipped};
use crate::inspect::target::{Keeps, undisturbed};
use suite::answering::Answering;

const PYTHON: &str = "/usr/bin/python3";

/// A hundred blocks of a MiB each.
const BLOCKS: &str = "import time\n\
    kept = [bytearray(b'1') * (1 << 20) for i in range(100)]\n\
    print('ready', flush=True)\n\
    time.sleep(1000)\n";

#[test]
fn rows_add_up_and_the_largest_is_named() {
    if !suite::installed(PYTHON) {
        return;
    }
    let mut command = Command::new(PYTHON);
    let mut python = Answering::start(undisturbed(command.args(["-c", BLOCKS])));
    assert_eq!(python.hear(), "ready");
    let pid = python.pid().to_string();
    let report = processes(&["inspect", &pid]);
    let process = &report[0];
    let rows = process["account"].as_array().expect("a list of rows");
    let sum = |name: &str| rows.iter().map(|row| row[name].as_u64().unwrap()).sum::<u64>();
    let mappings = std::fs::read_to_string(format!("/proc/{pid}/maps")).unwrap().lines().count();
    let slack = mappings as u64 * proc_memory::page_size_bytes();
    for name in ["rss_bytes", "private_bytes", "swap_bytes"] {
        let kernel = process[name].as_u64().unwrap();
        assert!(sum(name).abs_diff(kernel) <= slack, "{name}: {} {kernel}", sum(name));
    }
    assert_eq!(rows[0]["kind"], "malloc-block");
    assert!(rows[0]["rss_bytes"].as_u64() >= Some(100 << 20), "{process}");
    assert_eq!(kinds(process), ["memory-held"]);
    assert_eq!(process["findings"][0]["evidence"]["owner"], rows[0]["owner"]);

    let page = tempfile::NamedTempFile::new().unwrap();
    let html = page.path().display().to_string();
    let report = output(&["inspect", "--html", &html, &pid]);
    assert!(report.status.success());
    let table = String::from_utf8(report.stdout).unwrap();
    let page = std::fs::read_to_string(page.path()).unwrap();
    for words in ["whose memory", "mmapped blocks", "pymalloc", "together"] {
        assert!(table.contains(words) && page.contains(words), "{words}: {table}");
    }
    assert!(table.contains("info: Most of its memory"), "{table}");
    assert!(table.lines().all(|line| line.chars().count() <= 80), "{table}");
}

/// malloc's memory that it took by mmap after the break was refused.
#[test]
fn what_lies_elsewhere_is_the_main_arenas() {
    let target = Keeps::blocked(8192);
    let report = processes(&["inspect", &target.number()]);
    let rows = report[0]["account"].as_array().unwrap();
    let bytes = |owner: &str, name: &str| {
        let row = rows.iter().find(|row| row["owner"] == owner);
        row.unwrap_or_else(|| panic!("{rows:?}"))[name].as_u64().unwrap()
    };
    let arena = bytes("glibc's main arena", "rss_bytes");
    let system = report[0]["malloc"]["system_bytes"].as_u64().unwrap();
    assert!((128 << 20..=system).contains(&arena), "{arena} of {system}");
    let returnable = bytes("glibc's main arena", "returnable_bytes");
    assert!(target.returnable_bytes().contains(&returnable), "{returnable}");
    let unknown = rows.iter().filter(|row| row["kind"] == "unknown");
    let unknown: u64 = unknown.map(|row| row["rss_bytes"].as_u64().unwrap()).sum();
    assert!(unknown < 1 << 20, "{rows:?}");
}

#[test]
fn one_of_many_is_not_accounted_for() {
    let _one = Keeps::free(0);
    let all = processes(&["inspect", "--comm", "brkhole-keeps"]);
    let all = all.as_array().unwrap();
    assert!(!all.is_empty());
    assert!(all.iter().all(|process| process["account"] == Value::Null), "{all:?}");
}

/// What another allocator would give back, or how that is found out.
#[test]
fn of_another_allocator() {
    let program = compiled("trim_keeps");
    for (library, words) in [
        ("libjemalloc.so.2", "jemalloc "),
        ("libtcmalloc_minimal.so.4", "has tcmalloc give it back, and tells"),
    ] {
        let path = format!("/usr/lib/x86_64-linux-gnu/{library}");
        if !std::path::Path::new(&path).exists() {
            skipped(format_args!("{path} is not there"));
            continue;
        }
        let mut command = Command::new(&program);
        command.args(["free", "1"]).env("LD_PRELOAD", &path);
        let mut target = Answering::start(command.env("MALLOC_CONF", "dirty_decay_ms:-1"));
        assert_eq!(target.hear(), "ready");
        let pid = target.pid().to_string();
        let text = String::from_utf8(output(&["inspect", &pid]).stdout).unwrap();
        assert!(text.replace("\n  ", " ").replace('\n', " ").contains(words), "{text}");
        if library.starts_with("libjemalloc") {
            let process = &processes(&["inspect", &pid])[0];
            let rows = process["account"].as_array().unwrap();
            let row = rows.iter().find(|row| row["owner"] == "jemalloc").unwrap();
            assert!(row["returnable_bytes"].as_u64().unwrap() > 100 << 20, "{row:#}");
        }
    }
}
