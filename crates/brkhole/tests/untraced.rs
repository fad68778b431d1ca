//! `brkhole trace --via bpf COMMAND`: nothing stops the command.

use std::io::BufRead;
use std::process::Stdio;

use crate::attach::{BLOCK_BYTES, permitted};
use crate::common::{brkhole, compiled, output};
use serde_json::Value;
use suite::waiting::{ended, lines};

#[test]
fn what_it_asked_for_and_who_and_how_it_ended() {
    if !permitted("bpf") {
        return;
    }
    let report = tempfile::NamedTempFile::new().unwrap();
    let path = report.path().to_str().unwrap();
    let asks = compiled("asks");
    let script = format!("echo gg | {} 3; exit 7", asks.display());
    let arguments = ["trace", "--via", "bpf", "--stacks", "--format", "json", "-o", path];
    let done = output(&[&arguments[..], &["sh", "-c", &script]].concat());
    assert_eq!((done.status.code(), &*done.stdout), (Some(7), &b"done\n"[..]), "{done:?}");
    let report: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    assert_eq!((&report["source"], &report["exit"]["code"]), (&"launch".into(), &7.into()));
    assert_eq!((&report["processes"], &report["lost_events"]), (&3.into(), &0.into()));
    let stacks = report["growth"]["by_stack"].as_array().unwrap().iter();
    let of_blocks = stacks.filter(|stack| stack["bytes"] == 3 * BLOCK_BYTES);
    // It may have ended before its files could be looked up, which a note says.
    let notes = report["notes"].as_array().unwrap();
    let has_ended = notes.iter().any(|note| note.as_str().unwrap().contains("had ended before"));
    assert!(of_blocks.count() == 1 || has_ended, "{report:#}");
}

/// By BPF programs where they miss nothing; else by ptrace, and it is said why.
#[test]
fn the_best_way_is_taken() {
    let report = tempfile::NamedTempFile::new().unwrap();
    let path = report.path().to_str().unwrap();
    let done =
        output(&["trace", "--via", "auto", "--format", "json", "-o", path, "cat", "/dev/null"]);
    assert_eq!(done.status.code(), Some(0), "{done:?}");
    let report: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let opened = report["syscalls"]["openat"]["calls"].as_u64();
    assert!(opened >= Some(2), "{report:#}");
    let notes = report["notes"].as_array().unwrap().iter();
    let notes: Vec<_> = notes.filter_map(Value::as_str).collect();
    let said = |what: &str| notes.iter().any(|note| note.contains(what));
    match report["observer"]["stops"].as_u64() {
        Some(0) => assert!(said("what malloc kept isn't known"), "{notes:?}"),
        _ => assert!(said("watched by ptrace: BPF programs can't be used here: "), "{notes:?}"),
    }
}

#[test]
fn a_signal_is_passed_on() {
    if !permitted("bpf") {
        return;
    }
    let script = "trap 'exit 5' TERM; echo ready; while :; do sleep 0.05; done";
    let mut child = brkhole(&["trace", "--via", "bpf", "-o", "/dev/null", "sh", "-c", script])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    lines(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert_eq!(line, "ready\n");
    crate::attach::signal("TERM", child.id().cast_signed());
    assert_eq!(ended(&mut child).code(), Some(5));
}

/// Of which there are more than have names.
#[test]
fn a_real_time_signal_is_its_end() {
    if !permitted("bpf") {
        return;
    }
    let script = "kill -37 $$";
    let done = output(&["trace", "--via", "bpf", "--format", "json", "sh", "-c", script]);
    assert_eq!(done.status.code(), Some(128 + 37), "{done:?}");
    let report: Value = serde_json::from_slice(&done.stdout).unwrap();
    assert_eq!(report["exit"]["signal"], 37, "{report:#}");
    let program = report["growth"]["by_process"][0]["program"].as_str().unwrap();
    assert!(program.ends_with("sh"), "the launched one has a name, too: {program}");
}

#[test]
fn what_takes_a_stop_is_refused() {
    for (arguments, answer) in [
        (["--via", "bpf", "--hole"], "--via bpf stops nothing"),
        (["--via", "tracepoints", "--stacks"], "leave --via tracepoints out"),
    ] {
        let refused = output(&[&["trace"], &arguments[..], &["true"]].concat());
        let said = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert!(refused.status.code() == Some(1) && said.contains(answer), "{said}");
    }
}
