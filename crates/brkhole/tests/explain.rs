//! `brkhole explain LOG`.

use suite as _;

mod common;

use std::io::Write;
use std::process::Stdio;

use common::{LOCATIONS, Nginx, brkhole, installed, json, kinds, output};

/// The excerpt that the post of 2017 shows; see the README beside it.
const EXCERPT: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../heap-meter/tests/data/strace/seed.txt"
);

#[test]
fn the_excerpt_of_2017() {
    let report = json(&["explain", EXCERPT]);
    assert_eq!(report["source"], "strace-log");
    assert!(report["command"].is_null() && report["exit"].is_null());
    assert_eq!(report["fallback"]["count"], 1);
    assert_eq!(report["fallback"]["sizes"]["1048576"], 1);
    assert_eq!(kinds(&report)[0], "break-blocked");
    let file = &report["growth"]["by_file"][0];
    assert_eq!(file["path"], "/etc/ssl/certs/ca-certificates.crt");
    assert_eq!(
        (&file["opens"], &file["bytes"]),
        (&1.into(), &1_052_672.into())
    );
}

#[test]
fn compressed_from_a_pipe_and_plain_are_the_same() {
    let plain = output(&["explain", "--format", "csv", EXCERPT]).stdout;
    let mut compressed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    compressed
        .write_all(&std::fs::read(EXCERPT).unwrap())
        .unwrap();
    let mut child = brkhole(&["explain", "--format", "csv", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(&compressed.finish().unwrap()).unwrap();
    drop(stdin);
    assert_eq!(child.wait_with_output().unwrap().stdout, plain);
}

#[test]
fn a_log_of_nginx_tells_what_the_trace_tells() {
    let Some(nginx) = Nginx::configured() else {
        return;
    };
    if !installed("strace") {
        return;
    }
    let log = nginx.directory.path().join("log");
    let log = log.to_str().unwrap();
    let words = nginx.words(&["-t"]);
    let strace = std::process::Command::new("strace")
        .args(["-f", "-ttt", "-o", log])
        .args(&words)
        .status();
    assert!(strace.unwrap().success());
    let explained = json(&["explain", log]);
    let mut trace = vec!["trace", "--"];
    trace.extend(words.iter().map(String::as_str));
    let traced = json(&trace);
    assert_eq!(explained["growth"]["by_file"][0]["opens"], LOCATIONS + 1);
    assert_eq!(kinds(&explained), kinds(&traced));
    for name in ["mmap", "munmap", "openat", "close", "mprotect"] {
        assert_eq!(
            explained["syscalls"][name], traced["syscalls"][name],
            "{name}"
        );
    }
}

#[test]
fn logs_of_one_run_are_told_as_one() {
    if !installed("strace") {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let script = "cat /etc/passwd | sort | wc -l; exit 9";
    let strace = std::process::Command::new("strace")
        .args(["-ff", "-ttt", "-o"])
        .arg(directory.path().join("log"))
        .args(["sh", "-c", script])
        .output();
    assert_eq!(strace.unwrap().status.code(), Some(9));
    let mut logs: Vec<_> = std::fs::read_dir(directory.path())
        .unwrap()
        .map(|entry| entry.unwrap().path().display().to_string())
        .collect();
    assert_eq!(logs.len(), 4);
    // In whatever order a shell names them.
    logs.sort();
    logs.reverse();
    let mut arguments = vec!["explain"];
    arguments.extend(logs.iter().map(String::as_str));
    let report = json(&arguments);
    assert_eq!(report["processes"], 4);
    assert_eq!(report["exit"], serde_json::json!({"code": 9}));
    assert_eq!(report["syscalls"]["execve"]["calls"], 3);
}

#[test]
fn what_is_no_log_is_named_for_what_it_is() {
    let directory = tempfile::tempdir().unwrap();
    let made = |name: &str, content: &[u8]| {
        let path = directory.path().join(name);
        std::fs::write(&path, content).unwrap();
        path.display().to_string()
    };
    let summary = "% time     seconds  usecs/call     calls    errors syscall\n\
                   ------ ----------- ----------- --------- --------- ----------------\n\
                   100.00    0.000042          42         1           brk\n";
    for (path, word) in [
        (made("empty", b""), "is empty"),
        ("/bin/true".to_owned(), "ELF"),
        (made("summary", summary.as_bytes()), "strace -c"),
        (
            made("poem", b"roses are red\nviolets are blue\n"),
            "not an strace log",
        ),
        (directory.path().display().to_string(), "directory"),
        ("/no/such/log".to_owned(), "No such file"),
    ] {
        let output = output(&["explain", &path]);
        let complaint = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{path}");
        assert!(complaint.contains(word), "{path}: {complaint}");
        assert!(complaint.contains(&path), "{complaint}");
        assert!(output.stdout.is_empty());
    }
}
