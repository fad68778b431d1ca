//! Memory that is refused, and breaks that a program blocks itself: what `trace`, `compare` and
//! `explain` say of them.

use std::io::{BufRead, Write};
use std::process::{Command, Stdio};

use crate::common::{brkhole, compiled, installed, json, kinds, processes};
use serde_json::Value;

const MIB: u64 = 1 << 20;

/// The report on a mode of the program, run by a shell after `before`; its own exit status has to
/// be this.
fn traced(options: &[&str], before: &str, mode: &str, status: i32) -> Value {
    let report = tempfile::NamedTempFile::new().unwrap();
    let place = report.path().to_str().unwrap();
    let script = format!("{before}exec \"$0\" {mode}");
    let output = brkhole(&["trace", "--format", "json", "-o", place])
        .args(options)
        .args(["--", "sh", "-c", &script])
        .arg(compiled("refusals"))
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(status), "{output:?}");
    serde_json::from_slice(&std::fs::read(report.path()).unwrap()).unwrap()
}

/// The only finding of a kind.
fn only<'a>(report: &'a Value, kind: &str) -> &'a Value {
    let findings = report["findings"].as_array().unwrap();
    let mut found = findings.iter().filter(|finding| finding["kind"] == kind);
    match (found.next(), found.next()) {
        (Some(one), None) => one,
        _ => panic!("{kind}: {findings:#?}"),
    }
}

#[test]
fn a_limit_refuses_an_mmap_and_the_program_ends() {
    for (limit, name, least, limit_bytes) in [
        ("ulimit -d 65536; ", "RLIMIT_DATA", 56 * MIB, 64 * MIB),
        ("ulimit -v 131072; ", "RLIMIT_AS", 96 * MIB, 128 * MIB),
    ] {
        let report = traced(&[], limit, "map", 3);
        assert_eq!(kinds(&report)[0], "refused-memory");
        let refused = only(&report, "refused-memory");
        assert_eq!(refused["severity"], "critical");
        let evidence = &refused["evidence"];
        assert_eq!(evidence["by"], "limit");
        assert_eq!(evidence["limit"], name);
        assert_eq!(evidence["limit_bytes"], limit_bytes);
        assert_eq!(evidence["calls"], serde_json::json!({"mmap": 1}));
        assert_eq!(evidence["first_bytes"], serde_json::json!([8 * MIB]));
        let used = evidence["used_bytes"].as_u64().unwrap();
        assert!((least..limit_bytes).contains(&used), "{used}");
        assert_eq!(evidence["ended"]["code"], 3);
    }
}

#[test]
#[cfg(target_arch = "x86_64")]
fn low_memory_is_used_up() {
    let report = traced(&[], "", "low", 4);
    let refused = only(&report, "refused-memory");
    assert_eq!(refused["severity"], "critical");
    assert_eq!(refused["evidence"]["by"], "low-memory");
    let low = refused["evidence"]["low_bytes"].as_u64().unwrap();
    assert_eq!(report["growth"]["by_kind"]["low_memory"], low);
    assert!((700 * MIB..=1024 * MIB).contains(&low), "{low}");
}

/// A break is blocked: who knows no other way ends of that; malloc ends of what refuses the mmap.
#[test]
fn a_blocked_break_is_the_reason_where_nothing_else_is() {
    let report = traced(&[], "", "sbrk", 8);
    let refused = only(&report, "refused-memory");
    let (evidence, message) = (&refused["evidence"], refused["message"].as_str().unwrap());
    assert_eq!((&refused["severity"], &evidence["by"]), (&"critical".into(), &"blocked".into()));
    assert_eq!(evidence["calls"], serde_json::json!({"brk": 1}));
    assert_eq!(evidence["blocker"], only(&report, "break-blocked")["evidence"]["blocker"]);
    assert!(message.contains("made by mmap("), "{message}");
    assert!(!message.contains("brkhole trace"), "{message}");

    let report = traced(&[], "ulimit -v 300000; ", "full", 9);
    let evidence = &only(&report, "refused-memory")["evidence"];
    assert_eq!(evidence["limit"], "RLIMIT_AS", "{evidence}");
    assert!(evidence["calls"]["brk"].as_u64() >= Some(1), "{evidence}");
}

#[test]
fn a_pool_of_huge_pages_has_not_as_many() {
    let report = traced(&[], "", "huge", 7);
    let refused = only(&report, "refused-memory");
    let evidence = &refused["evidence"];
    assert_eq!((&refused["severity"], &evidence["by"]), (&"critical".into(), &"huge-pages".into()));
    let [page, total, free] = ["huge_page_bytes", "huge_pages_total", "huge_pages_free"]
        .map(|name| evidence[name].as_u64().unwrap());
    assert!(page >= MIB && free <= total && total * page < 1 << 44, "{evidence}");
}

#[test]
fn too_many_mappings() {
    let most = std::fs::read_to_string("/proc/sys/vm/max_map_count").unwrap();
    let most: u64 = most.trim().parse().unwrap();
    if most > 70_000 {
        crate::common::skipped(format_args!("vm.max_map_count is {most}: this would take long"));
        return;
    }
    let report = traced(&[], "", "crowd", 5);
    let refused = only(&report, "refused-memory");
    assert_eq!(refused["severity"], "critical");
    assert_eq!(refused["evidence"]["limit"], "vm.max_map_count");
    assert_eq!(refused["evidence"]["limit_mappings"], most);
}

#[test]
fn an_absurd_request_is_told_as_what_it_is() {
    let report = traced(&[], "", "absurd", 0);
    assert!(!kinds(&report).contains(&"break-blocked"), "{report}");
    let refused = only(&report, "refused-memory");
    assert_eq!(refused["severity"], "warning");
    assert_eq!(refused["evidence"]["by"], "address-space");
    let message = refused["message"].as_str().unwrap();
    assert!(message.contains("80.0 TiB were asked for in one go"), "{message}");
    assert!(!message.contains("instead"), "{message}");
}

#[test]
fn what_a_program_does_without_is_no_finding() {
    let report = traced(&[], "", "harmless", 6);
    let findings = report["findings"].as_array().unwrap();
    assert!(findings.iter().all(|finding| finding["severity"] != "critical"), "{findings:#?}");
}

#[test]
fn a_mapping_that_the_kernel_merged_into_the_heap_is_named() {
    let report = traced(&[], "", "merge", 0);
    let blocked = only(&report, "break-blocked");
    let evidence = &blocked["evidence"];
    assert_eq!(evidence["merged_into_heap"], true);
    assert_eq!(evidence["room_bytes"], 0);
    assert_eq!(evidence["blocker"]["start"], evidence["break"]);
    let message = blocked["message"].as_str().unwrap();
    assert!(message.contains("64.0 KiB") && message.contains("merged into [heap]"), "{message}");
    assert!(report["fallback"]["count"].as_u64().unwrap() > 0);
}

#[test]
fn the_page_of_lua_nginx_module_is_named_with_a_hole_of_one_s_own_and_without() {
    for options in [&[][..], &["--hole"]] {
        let report = traced(options, "", "trick", 0);
        // With a hole of one's own the shell's break is blocked, too: by that hole.
        let findings = report["findings"].as_array().unwrap();
        let is_lone = |found: &&Value| found["evidence"]["blocker"]["lone_page"] == true;
        let blocked = findings.iter().find(is_lone).expect("the program's own");
        assert_eq!(blocked["kind"], "break-blocked", "{options:?}");
        let remedy = blocked["remedy"].as_str().unwrap();
        assert!(remedy.contains("lua-nginx-module 0.10.3"), "{remedy}");
        let notes = report["notes"].to_string();
        assert_eq!(notes.contains("blocks its break itself"), !options.is_empty(), "{notes}");
    }
    // One that --hole alone makes is nobody else's.
    let report = traced(&["--hole"], "", "none", 0);
    let remedy = only(&report, "break-blocked")["remedy"].as_str().unwrap();
    assert!(remedy.contains("--hole"), "{remedy}");
}

#[test]
fn a_log_tells_the_same() {
    if !installed("strace") {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let log = directory.path().join("log");
    for (mode, kind) in [("trick", "break-blocked"), ("merge", "break-blocked")] {
        let status = Command::new("strace")
            .arg("-o")
            .args([&log, &compiled("refusals")])
            .arg(mode)
            .stdout(Stdio::null())
            .status();
        assert!(status.unwrap().success());
        let report = json(&["explain", log.to_str().unwrap()]);
        let blocked = only(&report, kind);
        let blocker = &blocked["evidence"]["blocker"];
        let line = blocker["line"].as_u64().unwrap() as usize;
        let text = std::fs::read_to_string(&log).unwrap();
        let line = text.lines().nth(line - 1).unwrap();
        assert!(
            line.starts_with(blocker["mapped_by"].as_str().unwrap().trim_end_matches(')')),
            "{line}"
        );
        assert!(line.ends_with(blocker["start"].as_str().unwrap()), "{line}");
    }
}

#[test]
fn comparing_blocked_with_blocked_is_said() {
    let program = compiled("refusals");
    let program = program.to_str().unwrap();
    let report = json(&["compare", "--repeats", "1", "--", program, "trick"]);
    let said = only(&report, "blocked-anyway");
    assert!(said["evidence"]["control_refused_brks"].as_f64().unwrap() > 1.0);
    let report = json(&["compare", "--repeats", "1", "--", program, "none"]);
    assert!(!kinds(&report).contains(&"blocked-anyway"));
}

#[test]
fn watched_from_outside() {
    for (mode, kind) in [("merge", "break-blocked"), ("map", "refused-memory")] {
        let script = "ulimit -v 200000; exec \"$0\" \"$1\" wait";
        let mut program = Command::new("sh")
            .args(["-c", script])
            .arg(compiled("refusals"))
            .arg(mode)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let report = tempfile::NamedTempFile::new().unwrap();
        let place = report.path().to_str().unwrap();
        let pid = program.id().to_string();
        // It is to have its own program before it is watched.
        let own = format!("/proc/{pid}/exe");
        let is_own = || std::fs::read_link(&own).is_ok_and(|exe| exe.ends_with("brkhole-refusals"));
        suite::waiting::eventually("its own program", is_own);
        let mut watcher = brkhole(&["trace", "--pid", &pid, "--via", "ptrace"])
            .args(["--format", "json", "-o", place])
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let mut said = suite::waiting::lines(watcher.stderr.take().unwrap());
        said.read_line(&mut line).unwrap();
        let mut stdin = program.stdin.take().unwrap();
        if !line.contains("watching process") {
            crate::common::skipped(format_args!("watching isn't permitted: {line}"));
            drop(stdin);
            suite::waiting::ended(&mut program);
            suite::waiting::ended(&mut watcher);
            return;
        }
        stdin.write_all(b"\n\n").unwrap();
        suite::waiting::ended(&mut program);
        assert!(suite::waiting::ended(&mut watcher).success());
        let report: Value = serde_json::from_slice(&std::fs::read(report.path()).unwrap()).unwrap();
        let found = only(&report, kind);
        match kind {
            "break-blocked" => assert_eq!(found["evidence"]["merged_into_heap"], true, "{found}"),
            _ => assert_eq!(found["evidence"]["limit"], "RLIMIT_AS", "{found}"),
        }
    }
}

/// What `inspect` says of the program in this mode, and the break that the program itself tells.
fn inspected(mode: &str) -> (Value, String) {
    let mut program = Command::new(compiled("refusals"))
        .args([mode, "wait"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = program.stdin.take().unwrap();
    stdin.write_all(b"\n").unwrap();
    let mut said = suite::waiting::lines(program.stdout.take().unwrap());
    let mut own_break = String::new();
    said.read_line(&mut own_break).unwrap();
    let report = processes(&["inspect", &program.id().to_string()]);
    drop(stdin);
    suite::waiting::ended(&mut program);
    let processes = report.get("processes").unwrap_or(&report);
    (processes[0].clone(), own_break.trim().to_owned())
}

#[test]
fn a_running_process_shows_what_was_merged_once_malloc_was_refused() {
    let (process, own_break) = inspected("merge");
    let blocked = only(&process, "break-blocked");
    assert_eq!(blocked["evidence"]["merged_into_heap"], true);
    assert_eq!(process["break"]["end"], own_break);
    assert_eq!(process["break"]["blocker"]["start"], own_break);
    let message = blocked["message"].as_str().unwrap();
    assert!(message.contains("64.0 KiB") && message.contains("merged into [heap]"), "{message}");
    // Before, nobody but the process itself could tell: both that it can be are said.
    let (process, own_break) = inspected("beside");
    assert!(!kinds(&process).contains(&"break-blocked"), "{process}");
    let beyond = only(&process, "heap-beyond-malloc");
    assert_eq!(beyond["evidence"]["beyond_bytes"], 65_536);
    assert_eq!(beyond["evidence"]["malloc_end"], own_break);
    // An ordinary heap has neither.
    let (process, own_break) = inspected("none");
    assert_eq!(process["break"]["end"], own_break);
    let neither = ["break-blocked", "heap-beyond-malloc"];
    assert!(kinds(&process).iter().all(|kind| !neither.contains(kind)), "{process}");
}
