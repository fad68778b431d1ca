//! What programs read.

use std::process::Command;

use serde_json::Value;

use crate::common::{compiled, kinds, processes};
use crate::inspect::target::{Keeps, undisturbed};
use suite::answering::Answering;

/// 128 MiB in blocks.
const BLOCKS: u64 = 8192;

fn only(report: &Value) -> &Value {
    let processes = report.as_array().expect("a list of processes");
    assert_eq!(processes.len(), 1, "{report}");
    &processes[0]
}

#[test]
fn a_process_that_keeps_much() {
    let target = Keeps::free(BLOCKS);
    let report = processes(&["inspect", &target.number()]);
    let process = only(&report);
    assert_eq!(process["pid"], target.pid());
    assert_eq!(process["comm"], "brkhole-keeps");
    let libc = process["libc"].as_str().expect("a dynamic program");
    assert!(libc.starts_with("glibc 2."), "{libc}");
    assert_eq!(process["allocator"], process["libc"]);
    assert_eq!(process["malloc_unknown"], Value::Null);
    assert_eq!(process["rss_exact"], true);
    assert_eq!(process["threads"], 1);

    let heap = &process["break"];
    assert_eq!(heap["blocked"], false);
    assert!(heap["room_bytes"].as_u64() > Some(1 << 30), "{heap}");
    assert!(heap["start"].as_str().is_some_and(|at| at.starts_with("0x")));

    let malloc = &process["malloc"];
    let bytes = |name: &str| malloc[name].as_u64().expect("a number of bytes");
    let expected = target.returnable_bytes();
    assert!(expected.contains(&bytes("returnable_bytes")), "{malloc}");
    assert!(bytes("free_bytes") >= bytes("returnable_bytes"), "{malloc}");
    assert!(bytes("system_bytes") >= BLOCKS * 16384, "{malloc}");
    assert_eq!(malloc["non_contiguous"], false);
    assert_eq!(malloc["arenas"].as_array().map(Vec::len), Some(1));
    // Between each two blocks in use lies a run; its ends are on pages that those share.
    let runs = &malloc["arenas"][0]["free"]["runs"];
    let number = |name: &str| runs[name].as_u64().expect("a number");
    assert!((BLOCKS / 64..BLOCKS / 64 + 16).contains(&number("count")), "{runs}");
    let mixed = number("mixed_pages");
    assert!((BLOCKS / 64..2 * BLOCKS / 64 + 32).contains(&mixed), "{runs}");
    assert!(bytes("pinned_bytes") <= (mixed + 64) * 4096, "{malloc}");
    assert!(number("mixed_used_bytes") <= mixed * 4096, "{runs}");
    let rss = process["rss_bytes"].as_u64();
    assert!(rss > Some(bytes("returnable_bytes")), "{process}");
    for name in ["pss", "private", "swap", "anon_huge", "hugetlb", "peak_rss", "address_space"] {
        let figure = &process[format!("{name}_bytes")];
        assert!(figure.is_u64(), "{name}: {figure}");
    }
    assert_eq!(kinds(process), ["memory-returnable"]);
}

#[test]
fn a_blocked_break() {
    let target = Keeps::blocked(BLOCKS);
    let report = processes(&["inspect", &target.number()]);
    let process = only(&report);
    let heap = &process["break"];
    assert_eq!(heap["blocked"], true);
    assert_eq!(heap["room_bytes"], 0);
    assert_eq!(heap["blocker"]["start"], heap["end"]);
    assert_eq!(process["malloc"]["non_contiguous"], true);
    let returnable = process["malloc"]["returnable_bytes"].as_u64();
    let expected = target.returnable_bytes();
    assert!(returnable.is_some_and(|bytes| expected.contains(&bytes)));
    let kinds = kinds(process);
    assert!(kinds.contains(&"break-blocked"), "{kinds:?}");
    assert!(kinds.contains(&"memory-returnable"), "{kinds:?}");
}

/// What stands in the way of a remedy is said with it, not when it is tried.
#[test]
fn a_filter_of_system_calls() {
    let mut command = Command::new(compiled("trim_filtered"));
    command.arg(compiled("keeps"));
    command.args(["free", &BLOCKS.to_string(), "0"]);
    let mut filtered = Answering::start(undisturbed(&mut command));
    assert_eq!(filtered.hear(), "ready");
    let pid = filtered.pid().to_string();
    let remedy = |pid: &str| {
        let report = processes(&["inspect", pid]);
        let process = only(&report);
        assert_eq!(kinds(process), ["memory-returnable"]);
        process["findings"][0]["remedy"].as_str().unwrap().to_owned()
    };
    let told = remedy(&pid);
    let trim = format!("brkhole trim --allow-seccomp {pid}");
    for words in [&*trim, "seccomp", "would end the program"] {
        assert!(told.contains(words), "{words}: {told}");
    }
    let other = remedy(&Keeps::free(BLOCKS).number());
    assert!(!other.contains("seccomp"), "{other}");
}

#[test]
fn a_process_that_keeps_nothing() {
    let target = Keeps::free(0);
    let report = processes(&["inspect", &target.number()]);
    let process = only(&report);
    assert_eq!(process["break"]["blocked"], false);
    assert_eq!(kinds(process), Vec::<&str>::new());
    let returnable = process["malloc"]["returnable_bytes"].as_u64();
    assert!(returnable < Some(1 << 20), "{process}");
}
