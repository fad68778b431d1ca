//! `brkhole trace -- COMMAND`, as a user types it.

use std::os::unix::process::ExitStatusExt;
use std::process::Stdio;

use crate::common::{brkhole, compiled, json, kinds, locations, output};
use serde_json::Value;
use suite::nginx::{BUNDLE, Site};
use suite::waiting::ended;

fn words<'a>(before: &[&'a str], command: &'a [String]) -> Vec<&'a str> {
    let command = command.iter().map(String::as_str);
    before.iter().copied().chain(["--"]).chain(command).collect()
}

#[test]
fn nginx_names_the_bundle_first() {
    let Some(nginx) = Site::with_the_line(locations()) else {
        return;
    };
    let command = nginx.words(&["-t"]);
    let report = json(&words(&["trace"], &command));
    assert_eq!(kinds(&report)[0], "repeated-file");
    let evidence = &report["findings"][0]["evidence"];
    assert_eq!(evidence["path"], BUNDLE);
    assert_eq!(evidence["opens"], locations() + 1);
    let size = std::fs::metadata(BUNDLE).unwrap().len();
    assert_eq!(evidence["read_bytes"], (locations() + 1) * size);
    assert!(evidence["openings_grown"].as_u64().unwrap() > locations() / 2);
    let remedy = report["findings"][0]["remedy"].as_str().unwrap();
    assert!(remedy.contains("nginx does it once since 1.27.2"), "{remedy}");
    assert!(remedy.contains("preload libtrusted_ca_preload.so"), "{remedy}");
    assert_eq!(report["growth"]["by_file"][0]["path"], BUNDLE);
    assert_eq!(report["growth"]["by_file"][0]["opens"], locations() + 1);
    assert_eq!(report["fallback"]["count"], 0);
    assert!(!kinds(&report).contains(&"break-blocked"));
}

#[test]
fn nginx_with_a_hole_falls_back_and_says_who_blocks() {
    let Some(nginx) = Site::with_the_line(locations()) else {
        return;
    };
    let command = nginx.words(&["-t"]);
    let report = json(&words(&["trace", "--hole"], &command));
    let all = kinds(&report);
    assert_eq!(all[..3], ["repeated-file", "break-blocked", "memory-kept"]);
    let refused = report["syscalls"]["brk"]["failed"].as_u64().unwrap();
    assert!(refused > locations(), "{refused}");
    assert_eq!(report["fallback"]["count"], refused);
    let blocked = &report["findings"][1]["evidence"];
    assert_eq!(blocked["blocker"]["perms"], "r--p");
    assert_eq!(blocked["room_bytes"], 0);
    assert_eq!(blocked["blocker"]["start"], blocked["break"]);
}

/// Whose call it was is seen above all that OpenSSL and malloc do within.
#[test]
fn nginx_s_functions_name_who_loads_the_bundle() {
    let Some(nginx) = Site::with_the_line(locations()) else {
        return;
    };
    let command = nginx.words(&["-t"]);
    let report = json(&words(&["trace", "--stacks"], &command));
    let functions = report["growth"]["by_function"].as_array().unwrap();
    let inclusive = |name: &str| {
        let function = functions
            .iter()
            .find(|function| function["function"].as_str().unwrap().starts_with(name));
        function.map_or(0, |function| function["inclusive_bytes"].as_u64().unwrap())
    };
    let asked = report["growth"]["asked_bytes"].as_u64().unwrap();
    for name in ["SSL_CTX_load_verify_locations", "ngx_http_lua_", "main"] {
        assert!(inclusive(name) > asked * 3 / 4, "{name}: {functions:?}");
    }
    for name in ["malloc", "CRYPTO_", "brk", "_start"] {
        assert_eq!(inclusive(name), 0, "{name}: {functions:?}");
    }
    let table = output(&words(&["trace", "--stacks"], &command)).stdout;
    let table = String::from_utf8(table).unwrap();
    let (_, below) = table.split_once(" inclusive  exclusive ").unwrap();
    let (rows, stacks) = below.split_once("\n\n").unwrap();
    for name in ["SSL_CTX_load_verify_locations (libssl", "ngx_http_lua_"] {
        assert!(rows.contains(name), "{name}: {table}");
    }
    assert!(stacks.contains("\n  → ngx_"), "{table}");
}

#[test]
fn growth_without_a_file_ends_with_the_next_command() {
    let program = compiled("grow").display().to_string();
    let told = |words: &[&str]| {
        let report = output(&[words, &["--", &program]].concat()).stdout;
        let report = String::from_utf8(report).unwrap();
        assert!(report.starts_with("brkhole-grow grew by 30."), "{report}");
        report.contains("note: no file explains this growth: brkhole trace --stacks COMMAND")
    };
    assert!(told(&["trace"]));
    // That was asked for already.
    assert!(!told(&["trace", "--stacks"]));
}

#[test]
fn the_report_has_the_promised_names() {
    let report = json(&["trace", "--", "sh", "-c", "true & wait; exit 0"]);
    assert_eq!(report["source"], "launch");
    assert_eq!(report["command"][0], "sh");
    assert_eq!(report["exit"], serde_json::json!({"code": 0}));
    assert_eq!(report["lost_events"], 0);
    assert!(report["processes"].as_u64().unwrap() >= 2);
    let growth = &report["growth"];
    let kinds = growth["by_kind"].as_object().unwrap();
    let sum: i64 = kinds.values().filter_map(Value::as_i64).sum();
    assert_eq!(growth["bytes"].as_i64(), Some(sum));
    for kind in ["break", "fallback", "large_block", "arena", "other"] {
        assert!(kinds.contains_key(kind), "{kind}");
    }
    assert!(growth["by_file"].is_array() && growth["by_stack"].is_array());
    assert!(report["fallback"]["sizes"].is_object());
    assert!(report["syscalls"]["brk"]["calls"].as_u64().unwrap() > 0);
    assert!(report["observer"]["peak_rss_bytes"].as_u64().unwrap() > 0);
}

#[test]
fn the_commands_own_status_is_passed_on() {
    for (script, status) in [("exit 0", 0), ("exit 7", 7), ("kill -9 $$", 137), ("kill $$", 143)] {
        let output = output(&["trace", "--", "sh", "-c", script]);
        assert_eq!(output.status.code(), Some(status), "{script}");
        assert!(String::from_utf8_lossy(&output.stdout).contains("system call"));
    }
}

#[test]
fn the_commands_own_streams_stay_where_they_are() {
    let directory = tempfile::tempdir().unwrap();
    let report = directory.path().join("report");
    let report = report.to_str().unwrap();
    let script = "cat; echo out; echo err >&2";
    let mut child = brkhole(&["trace", "-o", report, "--", "sh", "-c", script])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), b"in\n").unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.stdout, b"in\nout\n");
    assert_eq!(output.stderr, b"err\n");
    assert!(std::fs::read_to_string(report).unwrap().contains("brk"));
}

#[test]
fn a_signal_is_passed_on_to_the_command() {
    let script = "trap 'echo got it; exit 5' TERM; echo ready; while :; do sleep 0.05; done";
    let mut child = brkhole(&["trace", "-o", "/dev/null", "--", "sh", "-c", script])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = suite::waiting::lines(child.stdout.take().unwrap());
    let mut line = String::new();
    std::io::BufRead::read_line(&mut lines, &mut line).unwrap();
    assert_eq!(line, "ready\n");
    let pid = child.id().to_string();
    std::process::Command::new("kill").arg(&pid).status().unwrap();
    assert_eq!(ended(&mut child).code(), Some(5));
    line.clear();
    std::io::BufRead::read_line(&mut lines, &mut line).unwrap();
    assert_eq!(line, "got it\n");
}

#[test]
fn what_the_command_leaves_behind_can_be_ended() {
    let report = tempfile::NamedTempFile::new().unwrap();
    let path = report.path().to_str().unwrap();
    let script = "sleep 1000 & exit 3";
    let mut child = brkhole(&["trace", "-o", path, "--", "sh", "-c", script])
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    let mut lines = suite::waiting::lines(child.stderr.take().unwrap());
    std::io::BufRead::read_line(&mut lines, &mut line).unwrap();
    assert!(line.contains("the command has ended"), "{line}");
    let pid = child.id().to_string();
    let status = std::process::Command::new("kill").args(["-INT", &pid]).status();
    assert!(status.unwrap().success());
    assert_eq!(ended(&mut child).code(), Some(3));
    let report = std::fs::read_to_string(path).unwrap();
    assert!(report.contains("2 processes, exit status 3"), "{report}");
}

#[test]
fn kill_9_ends_the_command_too() {
    let mut child = brkhole(&["trace", "--", "sh", "-c", "echo $$; exec sleep 1000"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    let mut lines = suite::waiting::lines(child.stdout.take().unwrap());
    std::io::BufRead::read_line(&mut lines, &mut line).unwrap();
    let launched = format!("/proc/{}", line.trim());
    assert!(std::path::Path::new(&launched).exists());
    child.kill().unwrap();
    assert_eq!(ended(&mut child).signal(), Some(9));
    // Its end is told to init, which may take a moment to take note.
    let gone = || {
        let status = std::fs::read_to_string(format!("{launched}/status")).unwrap_or_default();
        status.is_empty() || status.contains("State:\tZ")
    };
    assert!((0..1000).any(|_| {
        std::thread::sleep(std::time::Duration::from_millis(10));
        gone()
    }));
}

#[test]
fn pictures_and_stacks() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name).display().to_string();
    let (chart, flames, folded) = (path("c.svg"), path("f.svg"), path("f.txt"));
    let program = compiled("arenas").display().to_string();
    let report = json(&[
        "trace",
        "--chart",
        &chart,
        "--flamegraph",
        &flames,
        "--folded",
        &folded,
        "--",
        &program,
    ]);
    let stacks = report["growth"]["by_stack"].as_array().unwrap();
    let bytes: u64 = stacks.iter().filter_map(|stack| stack["bytes"].as_u64()).sum();
    assert_eq!(report["growth"]["asked_bytes"], bytes, "each growth has a stack");
    let of_work = stacks.iter().any(|stack| {
        let frames = stack["frames"].as_array().unwrap();
        frames.iter().any(|frame| frame == "work")
    });
    assert!(of_work, "{stacks:?}");
    for svg in [chart, flames] {
        let svg = std::fs::read_to_string(svg).unwrap();
        assert!(svg.contains("<svg") && svg.contains("<title>"), "{}", &svg[..200]);
    }
    let folded = std::fs::read_to_string(folded).unwrap();
    assert!(folded.lines().any(|line| line.contains(";work;")), "{folded}");
}

#[test]
fn arenas_are_a_finding() {
    let program = compiled("arenas").display().to_string();
    let report = json(&["trace", "--", &program, "sparse"]);
    assert_eq!(kinds(&report), ["grew-by-arenas"]);
    // Every other small block of each thread was freed, and nothing on the way out.
    let finding = &report["findings"][0];
    let free = finding["evidence"]["arenas_free_bytes"].as_u64().unwrap();
    assert!((15 << 20..24 << 20).contains(&free), "{finding}");
    let remedy = finding["remedy"].as_str().unwrap();
    assert!(remedy.contains("MALLOC_ARENA_MAX=2"), "{remedy}");
}

/// Arenas in which all is in use, arenas that were emptied on the way out, and such as have given back
/// what was freed: fewer of them would spare nothing, as far as anybody knows.
#[test]
fn arenas_that_keep_nothing_are_not_advised_against() {
    let program = compiled("arenas").display().to_string();
    for what in ["live", "tidy", "shrinking"] {
        let report = json(&["trace", "--", &program, what]);
        assert_eq!(kinds(&report), ["grew-by-arenas"], "{what}");
        let finding = &report["findings"][0];
        assert!(finding["remedy"].is_null(), "{what}: {finding}");
    }
}

#[test]
fn limits_are_told_from_blockers() {
    let grow = "import ctypes\nfor _ in range(2000): ctypes.CDLL(None).malloc(100000)";
    for (limit, name) in [("ulimit -d 16384", "RLIMIT_DATA"), ("ulimit -v 60000", "RLIMIT_AS")] {
        let script = format!("{limit}; exec /usr/bin/python3 -c \"$0\"");
        let output = output(&["trace", "--format", "json", "--", "sh", "-c", &script, grow]);
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert!(kinds(&report).contains(&"break-limited"), "{report}");
        let findings = report["findings"].as_array().unwrap();
        let limited = findings.iter().find(|found| found["kind"] == "break-limited").unwrap();
        assert_eq!(limited["evidence"]["limit"], name);
    }
}

#[test]
fn what_cannot_be_run_is_named() {
    let output = output(&["trace", "--", "/no/such/program"]);
    assert_eq!(output.status.code(), Some(1));
    let complaint = String::from_utf8(output.stderr).unwrap();
    assert!(complaint.contains("/no/such/program"), "{complaint}");
    assert_eq!(complaint.matches("No such file").count(), 1, "{complaint}");
}

#[test]
fn bad_usage_has_status_2() {
    for arguments in [
        &["trace"][..],
        &["trace", "--pid", "0"],
        &["trace", "--pid", "1", "--", "true"],
        &["trace", "--duration", "1", "--", "true"],
        &["trace", "--pid", "1", "--hole"],
        &["compare"],
        &["explain"],
        &["nonsense"],
    ] {
        assert_eq!(output(arguments).status.code(), Some(2), "{arguments:?}");
    }
}

#[test]
fn a_place_that_cannot_be_written_to_is_said_before_anything_runs() {
    let output = output(&["trace", "-o", "/no/such/place", "--", "echo", "ran"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(output.stdout.is_empty());
    assert!(String::from_utf8_lossy(&output.stderr).contains("/no/such/place"));
}

/// To the end of the last of its processes, as growth is.
#[test]
fn how_long_it_was_watched_is_told() {
    let report = json(&["trace", "sh", "-c", "(sleep 0.5) & :"]);
    assert_eq!(report["exit"]["code"], 0, "{report:#}");
    assert!(report["observer"]["wall_seconds"].as_f64() >= Some(0.5), "{report:#}");
}
