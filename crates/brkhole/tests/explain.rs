//! `brkhole explain LOG`.

use std::io::Write;
use std::process::Stdio;

use crate::common::{brkhole, installed, json, kinds, locations, output};
use suite::nginx::Site;

/// The excerpt that the post of 2017 shows; see the README beside it.
const EXCERPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../strace-log/tests/data/seed.txt");

#[test]
fn the_excerpt_of_2017() {
    let report = json(&["explain", EXCERPT]);
    assert_eq!(report["source"], "strace-log");
    assert!(report["command"].is_null() && report["exit"].is_null());
    assert_eq!(report["fallback"]["count"], 1);
    assert_eq!(report["fallback"]["sizes"]["1048576"], 1);
    assert_eq!(kinds(&report)[0], "break-refused");
    assert_eq!(report["findings"][0]["evidence"]["by"], "unknown");
    let file = &report["growth"]["by_file"][0];
    assert_eq!(file["path"], "/etc/ssl/certs/ca-certificates.crt");
    assert_eq!((&file["opens"], &file["bytes"]), (&1.into(), &1_052_672.into()));
}

#[test]
fn compressed_from_a_pipe_and_plain_are_the_same() {
    let plain = output(&["explain", "--format", "csv", EXCERPT]).stdout;
    let mut child = brkhole(&["explain", "--format", "csv", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(&compressed(&std::fs::read(EXCERPT).unwrap())).unwrap();
    drop(stdin);
    assert_eq!(child.wait_with_output().unwrap().stdout, plain);
}

/// A log that was copied while it was written: what is there is told, and that it isn't all.
#[test]
fn compressed_and_cut_off() {
    let directory = tempfile::tempdir().unwrap();
    let log = directory.path().join("log.gz");
    let calls: String = (0..5_000).map(|n| format!("close({n})                = 0\n")).collect();
    let text = [std::fs::read(EXCERPT).unwrap(), calls.into_bytes()].concat();
    let whole = compressed(&text);
    std::fs::write(&log, &whole[..whole.len() / 2]).unwrap();
    let report = json(&["explain", log.to_str().unwrap()]);
    assert_eq!(report["fallback"]["count"], 1);
    let notes = report["notes"].to_string();
    assert!(
        notes.contains("cut off, as in a file that was copied while it was written"),
        "{notes}"
    );
    // Nothing of it can be read.
    std::fs::write(&log, &whole[..12]).unwrap();
    let refused = output(&["explain", log.to_str().unwrap()]);
    assert_eq!(refused.status.code(), Some(1));
    let said = String::from_utf8_lossy(&refused.stderr);
    assert!(said.contains("log.gz: unexpected end of file"), "{said}");
}

fn compressed(text: &[u8]) -> Vec<u8> {
    let mut compressed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    compressed.write_all(text).unwrap();
    compressed.finish().unwrap()
}

#[test]
fn a_log_of_nginx_tells_what_the_trace_tells() {
    let Some(nginx) = Site::with_the_line(locations()) else {
        return;
    };
    if !installed("strace") {
        return;
    }
    let log = nginx.path("log");
    let log = log.to_str().unwrap();
    let words = nginx.words(&["-t"]);
    let strace =
        std::process::Command::new("strace").args(["-f", "-ttt", "-o", log]).args(&words).status();
    assert!(strace.unwrap().success());
    let explained = json(&["explain", log]);
    let mut trace = vec!["trace", "--"];
    trace.extend(words.iter().map(String::as_str));
    let traced = json(&trace);
    assert_eq!(explained["growth"]["by_file"][0]["opens"], locations() + 1);
    assert_eq!(kinds(&explained), kinds(&traced));
    for name in ["mmap", "munmap", "openat", "close", "mprotect"] {
        assert_eq!(explained["syscalls"][name], traced["syscalls"][name], "{name}");
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
        (made("poem", b"roses are red\nviolets are blue\n"), "not an strace log"),
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

/// What `brkhole explain` says of a log, as JSON and as a table.
fn explained(log: &str) -> (serde_json::Value, String) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("log");
    std::fs::write(&path, log).unwrap();
    let path = path.to_str().unwrap();
    let table = output(&["explain", path]).stdout;
    (json(&["explain", path]), String::from_utf8(table).unwrap())
}

fn notes(report: &serde_json::Value) -> Vec<&str> {
    let notes = report["notes"].as_array().unwrap().iter();
    notes.map(|note| note.as_str().unwrap()).collect()
}

/// `strace -e openat`: how often a file was opened is known, what memory did is not.
#[test]
fn what_was_not_logged_is_not_known() {
    let mut log = String::from("execve(\"/usr/bin/x\", [\"x\"], 0x7ffd /* 9 vars */) = 0\n");
    for descriptor in 3..15 {
        log.push_str(&format!(
            "openat(AT_FDCWD, \"/etc/ssl/cert.pem\", O_RDONLY) = {descriptor}\n"
        ));
    }
    let (report, table) = explained(&log);
    let growth = &report["growth"];
    for figure in ["bytes", "peak_bytes", "asked_bytes", "returned_bytes", "without_file_bytes"] {
        assert!(growth[figure].is_null(), "{figure}: {growth}");
    }
    assert!(growth["by_kind"]["break"].is_null() && growth["by_kind"]["large_block"].is_null());
    assert!(report["fallback"].is_null());
    let file = &growth["by_file"][0];
    assert_eq!((&file["path"], &file["opens"]), (&"/etc/ssl/cert.pem".into(), &12.into()));
    assert!(file["bytes"].is_null() && file["asked_bytes"].is_null());
    assert_eq!(report["syscalls"]["openat"]["calls"], 12);
    assert!(table.contains("growth: not known"), "{table}");
    assert!(!table.contains("0 B"), "{table}");
    // The finding of the repeated openings claims no more.
    let told = |table: &str, words: &str| {
        table.split_whitespace().collect::<Vec<_>>().join(" ").contains(words)
    };
    assert!(told(&table, "opened 12 times. Neither memory calls nor times were seen"), "{table}");
    let (_, table_of_more) = explained(&[log.as_str(), "brk(NULL) = 0x1000000\n"].concat());
    assert!(told(&table_of_more, "No close was seen, so its cost isn't known"), "{table_of_more}");
    let row =
        table.lines().find(|line| line.starts_with(' ') && line.contains("cert.pem")).unwrap();
    assert!(row.contains("12") && row.contains("not known"), "{row}");
    assert!(notes(&report)[0].contains("strace -f -ttt -e trace="), "{table}");
}

/// Some of the calls are there: what they tell is told, what the others would have told isn't 0.
#[test]
fn a_log_of_some_calls() {
    let start = "execve(\"/usr/bin/x\", [\"x\"], 0x7ffd /* 9 vars */) = 0\n";
    let brk = "brk(NULL) = 0x1000000\nbrk(0x1100000) = 0x1100000\n";
    // So many calls without the others: they were left out.
    let breaks = "brk(0x1100000) = 0x1100000\n".repeat(20);
    let moved = "mremap(0x7f0000000000, 2097152, 2097152, 0) = 0x7f0000000000\n".repeat(20);
    let map = "mmap(NULL, 2097152, PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0) \
               = 0x7f0000000000\n";
    let unmap = "munmap(0x7f0000000000, 2097152) = 0\n";
    let open = "openat(AT_FDCWD, \"/etc/hosts\", O_RDONLY) = 3\n";

    let (report, table) = explained(&[start, brk].concat());
    assert_eq!(notes(&report), [""; 0], "a short program may make no other: {table}");

    let (report, table) = explained(&[start, brk, &breaks].concat());
    let growth = &report["growth"];
    assert_eq!(
        (&growth["bytes"], &growth["by_kind"]["break"]),
        (&(1 << 20).into(), &(1 << 20).into())
    );
    assert!(growth["by_kind"]["large_block"].is_null(), "{growth}");
    // Nothing was refused, so nothing fell back.
    assert_eq!(report["fallback"]["count"], 0);
    assert!(notes(&report)[0].starts_with("the log has no mmap, no munmap:"), "{table}");

    let (report, table) = explained(&[start, map, &moved].concat());
    let growth = &report["growth"];
    assert_eq!(growth["by_kind"]["large_block"], 2 << 20);
    assert!(growth["by_kind"]["break"].is_null() && growth["returned_bytes"].is_null());
    assert!(table.contains("given back before the end: not known"), "{table}");
    assert!(notes(&report)[0].starts_with("the log has no brk, no munmap:"), "{table}");

    // Everything but the closings.
    let (report, table) = explained(&[start, open, brk, open, map, unmap].concat());
    let growth = &report["growth"];
    assert_eq!(
        (&growth["peak_bytes"], &growth["returned_bytes"]),
        (&(3 << 20).into(), &(2 << 20).into())
    );
    let file = &growth["by_file"][0];
    assert!(file["opens"] == 2 && file["bytes"].is_null(), "{file}");
    assert!(notes(&report)[0].starts_with("the log has no close:"), "{table}");

    let (report, table) = explained(&[start, open, brk, "close(3) = 0\n", map, unmap].concat());
    assert_eq!(notes(&report), [""; 0], "{table}");
    assert_eq!(report["growth"]["by_file"][0]["bytes"], 1 << 20);
}

#[test]
fn a_wrapped_log_says_what_was_taken_off() {
    let (report, table) = explained(
        "web_1  | [pid    12] brk(NULL) = 0x1000000\n\
         web_1  | [pid    12] brk(0x1300000) = 0x1300000\n",
    );
    assert_eq!(report["growth"]["bytes"], 3 << 20);
    assert!(table.contains("\"web_1  | \""), "{table}");
}

#[test]
fn a_foreign_log_is_refused_by_its_name() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("log");
    let log = "[pid 9] brk@SYS(nil)  = 0x55d0c8a4e000\n[pid 9] malloc(64) = 0x55d0c8a4e2a0\n";
    std::fs::write(&path, log).unwrap();
    let output = output(&["explain", path.to_str().unwrap()]);
    let complaint = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{complaint}");
    assert!(
        complaint.contains("a log of ltrace") && complaint.contains("strace -f"),
        "{complaint}"
    );
    assert!(output.stdout.is_empty());
}

/// What a file brought to one program after the other is no part of what all had at one moment.
#[test]
fn the_first_line_is_of_one_moment() {
    let of_child = |pid: u32, given_back: u32| {
        format!(
            "100 clone(child_stack=NULL, flags=SIGCHLD) = {pid}\n\
             {pid} execve(\"/usr/bin/x\", [\"x\"], 0x7ffd /* 9 vars */) = 0\n\
             {pid} openat(AT_FDCWD, \"/etc/cert.pem\", O_RDONLY) = 3\n\
             {pid} mmap(NULL, 4194304, PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0) \
             = 0x7f0000000000\n{pid} close(3) = 0\n{pid} munmap(0x7f0000000000, {given_back}) = 0\n\
             {pid} exit_group(0) = ?\n{pid} +++ exited with 0 +++\n"
        )
    };
    let start = "100 execve(\"/bin/sh\", [\"sh\"], 0x7ffd /* 9 vars */) = 0\n";
    let first = |children: u32, given_back| {
        let log: String = (101..101 + children).map(|pid| of_child(pid, given_back)).collect();
        let (_, table) = explained(&[start, &log].concat());
        let (_, library) = explained(&[start, &log].concat().replace("cert.pem", "libx.so.1"));
        assert!(!library.lines().next().unwrap().contains("reading"), "no answer: {library}");
        table.lines().next().unwrap().to_owned()
    };
    let file = ": 4.00 MiB while reading cert.pem once";
    assert_eq!(first(1, 4096), format!("the process grew by 4.00 MiB{file}"));
    assert_eq!(first(1, 4 << 20), format!("the process grew by 4.00 MiB and kept 0 B{file}"));
    assert_eq!(first(3, 4096), "the process grew by 4.00 MiB");
}

#[test]
fn the_first_line_says_that_memory_was_refused() {
    let (_, table) = explained(
        "execve(\"/bin/x\", [\"x\"], 0x7ffd /* 9 vars */) = 0\n\
         mmap(NULL, 134217728, PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0) = -1 ENOMEM \
         (Cannot allocate memory)\nexit_group(1) = ?\n+++ exited with 1 +++\n",
    );
    assert!(table.starts_with("the process did not grow; memory was refused 1 time\n"), "{table}");
}

/// A log of failed calls alone tells of no memory, not of none.
#[test]
fn growth_is_unknown_where_only_failed_calls_were_logged() {
    let log = "access(\"/y\", R_OK) = -1 ENOENT (No such file or directory)\n\
               openat(AT_FDCWD, \"/w\", O_RDONLY) = -1 ENOENT (No such file or directory)\n\
               openat(AT_FDCWD, \"/x\", O_RDONLY) = -1 ENOENT (No such file or directory)\n\
               mmap(NULL, 8192, PROT_READ, MAP_PRIVATE, 3, 0) = -1 ENODEV (No such device)\n";
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), log).unwrap();
    let report = json(&["explain", file.path().to_str().unwrap()]);
    assert!(report["growth"]["asked_bytes"].is_null(), "{report:#}");
    assert!(report["notes"].to_string().contains("-Z"), "{report:#}");
}
