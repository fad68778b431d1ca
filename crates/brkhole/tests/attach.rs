//! `brkhole trace --pid PID`.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

use crate::common::{brkhole, compiled, kinds, locations, output, private_writable_bytes};
use serde_json::{Value, json};
use suite::nginx::{BUNDLE, Master, Site};
use suite::waiting::{ended, eventually, lines, until};

pub fn signal(name: &str, pid: i32) {
    let status = Command::new("kill").args(["-s", name, &pid.to_string()]).status();
    assert!(status.unwrap().success());
}

/// Watches a process; ends with SIGINT, as Ctrl-C does.
pub struct Watching {
    child: Child,
    report: tempfile::NamedTempFile,
}

impl Watching {
    fn start(pid: i32, via: &str) -> Self {
        Self::of(&[pid], &["--via", via])
    }

    fn of(pids: &[i32], options: &[&str]) -> Self {
        let pids: Vec<_> = pids.iter().map(i32::to_string).collect();
        Self::with(&[&["--pid", &pids.join(",")], options].concat())
    }

    pub fn with(options: &[&str]) -> Self {
        let report = tempfile::NamedTempFile::new().unwrap();
        let mut child = brkhole(&["trace"])
            .args(options)
            .args(["--format", "json", "-o", report.path().to_str().unwrap()])
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let mut said = lines(child.stderr.take().unwrap());
        said.read_line(&mut line).unwrap();
        assert!(line.contains("watching "), "{line}");
        Self { child, report }
    }

    pub fn end(mut self) -> Value {
        signal("INT", self.child.id() as i32);
        assert_eq!(ended(&mut self.child).code(), Some(0));
        serde_json::from_slice(&std::fs::read(self.report.path()).unwrap()).unwrap()
    }
}

/// Whether BPF programs or tracepoints can be used here is the kernel's business: ptrace always can.
pub fn permitted(via: &str) -> bool {
    if via == "ptrace" {
        return true;
    }
    let mut child = Command::new("sleep").arg("100").spawn().unwrap();
    let pid = child.id().to_string();
    let tried = output(&["trace", "--pid", &pid, "--via", via, "--duration", "0.01"]);
    child.kill().unwrap();
    child.wait().unwrap();
    if !tried.status.success() {
        crate::common::skipped(format_args!(
            "{}: {}",
            if via == "bpf" { "bpf(2)" } else { via },
            String::from_utf8_lossy(&tried.stderr)
        ));
    }
    tried.status.success()
}

fn a_reload_is_seen(via: &str) {
    let Some(nginx) = Site::with_the_line(locations()) else {
        return;
    };
    if !permitted(via) {
        return;
    }
    let master = Master::start(&nginx, nginx.command());
    let before = private_writable_bytes(master.pid);
    let watching = Watching::start(master.pid, via);
    master.reload();
    let grown = private_writable_bytes(master.pid) - before;
    let report = watching.end();
    assert_eq!(report["source"], "attach");
    assert_eq!(report["lost_events"], 0);
    assert_eq!(kinds(&report)[0], "repeated-file", "{report:#}");
    let file = &report["growth"]["by_file"][0];
    assert_eq!(file["path"], BUNDLE);
    assert_eq!(file["opens"], locations() + 1);
    let share = file["bytes"].as_f64().unwrap() / grown as f64;
    assert!((0.95..=1.05).contains(&share), "{share} of {grown}");
    assert!(Path::new(&format!("/proc/{}", master.pid)).exists());
}

/// From the second one on nothing need grow: what the one before has freed is used again.
#[test]
fn a_later_reload_still_tells_the_openings() {
    let Some(nginx) = Site::with_the_line(locations()) else {
        return;
    };
    let via = match permitted("tracepoints") {
        true => "tracepoints",
        false => "ptrace",
    };
    let master = Master::start(&nginx, nginx.command());
    master.reload();
    master.reload();
    let watching = Watching::start(master.pid, via);
    master.reload();
    let report = watching.end();
    let findings = report["findings"].as_array().unwrap();
    let told = findings.iter().find(|found| found["evidence"]["path"] == BUNDLE);
    let told = told.unwrap_or_else(|| panic!("{report:#}"));
    let (kind, opens) = match told["kind"] == "repeated-file" {
        true => ("repeated-file", "opens"),
        false => ("repeated-reading", "openings"),
    };
    assert_eq!(told["kind"], kind);
    assert_eq!(told["evidence"][opens], locations() + 1);
    let remedy = told["remedy"].as_str().unwrap();
    assert!(remedy.contains("nginx does it once since 1.27.2"), "{remedy}");
}

#[test]
fn a_reload_of_nginx_by_bpf_programs() {
    a_reload_is_seen("bpf");
}

#[test]
fn a_reload_of_nginx_by_tracepoints() {
    a_reload_is_seen("tracepoints");
}

#[test]
fn a_reload_of_nginx_by_ptrace() {
    a_reload_is_seen("ptrace");
}

const WAYS: [&str; 3] = ["bpf", "tracepoints", "ptrace"];

/// What a block of a MiB takes: with its chunk's header, whole pages.
pub const BLOCK_BYTES: u64 = (1 << 20) + 4096;

/// The program `asks`, which waits.
pub struct Asking {
    child: Child,
    said: BufReader<suite::waiting::Patient<ChildStdout>>,
}

impl Asking {
    pub fn new(arguments: &[&str]) -> Self {
        let mut child = Command::new(compiled("asks"))
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let said = lines(child.stdout.take().unwrap());
        let asking = Self { child, said };
        eventually("it reads", || {
            let call = std::fs::read_to_string(format!("/proc/{}/syscall", asking.pid()));
            call.is_ok_and(|call| call.starts_with("0 0x0 "))
        });
        asking
    }

    pub fn pid(&self) -> i32 {
        self.child.id().cast_signed()
    }

    /// Lets it ask for its memory.
    pub fn asks(&mut self) {
        self.child.stdin.as_mut().unwrap().write_all(b"g").unwrap();
        let mut line = String::new();
        self.said.read_line(&mut line).unwrap();
        assert_eq!(line, "done\n");
    }
}

impl Drop for Asking {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        ended(&mut self.child);
    }
}

#[test]
fn of_several_it_is_told_which_grew() {
    for via in WAYS {
        if !permitted(via) {
            continue;
        }
        let mut asking = ["3", "5", "0"].map(|times| Asking::new(&[times]));
        let pids = asking.each_ref().map(Asking::pid);
        let watching = Watching::of(&pids, &["--via", via]);
        asking.iter_mut().for_each(Asking::asks);
        let report = watching.end();
        let row = |pid: i32, blocks: u64| {
            let program = compiled("asks").canonicalize().unwrap();
            let (bytes, asked) = (blocks * BLOCK_BYTES, blocks * BLOCK_BYTES);
            json!({ "pid": pid, "program": program, "bytes": bytes, "asked_bytes": asked })
        };
        let rows = json!([row(pids[1], 5), row(pids[0], 3)]);
        assert_eq!(report["growth"]["by_process"], rows, "{via}");
        assert_eq!(report["processes"], 3);
        assert_eq!(report["malloc"].as_array().unwrap().len(), 3, "each is looked into");
    }
}

/// Of two that have nothing in common, one is born under watch.
#[test]
fn of_all_it_is_told_which_grew() {
    for via in ["bpf", "tracepoints"] {
        if !permitted(via) {
            continue;
        }
        let mut first = Asking::new(&["300"]);
        let watching = Watching::with(&["--all", "--via", via]);
        let brkhole = watching.child.id();
        let mut second = Asking::new(&["500"]);
        first.asks();
        second.asks();
        let report = watching.end();
        let growth = &report["growth"];
        let rows = growth["by_process"].as_array().unwrap();
        let row = |pid: i32| rows.iter().find(|row| row["pid"] == pid).unwrap();
        let blocks = [300, 500].map(|blocks| blocks * BLOCK_BYTES);
        // Its libraries' data, too.
        let second_bytes = row(second.pid())["bytes"].as_u64().unwrap();
        // The others of a busy machine may be more than can be read.
        if report["lost_events"] == 0 {
            assert_eq!(row(first.pid())["bytes"], blocks[0], "{via}");
            assert!((blocks[1]..blocks[1] + (1 << 20)).contains(&second_bytes), "{via}");
        } else {
            let notes = report["notes"].to_string();
            assert!(notes.contains("so all counts are lower bounds"), "{notes}");
            assert!(row(first.pid())["bytes"].as_u64().unwrap() <= blocks[0], "{via}");
        }
        let program = compiled("asks").canonicalize().unwrap();
        assert_eq!(row(first.pid())["program"], json!(program), "{via}");
        let name = program.file_name().unwrap().to_str().unwrap();
        assert!(row(second.pid())["program"].as_str().unwrap().ends_with(name), "{via}");
        assert!(rows.iter().all(|row| row["pid"] != brkhole), "it isn't in the picture");
        let told: i64 = rows.iter().map(|row| row["bytes"].as_i64().unwrap()).sum();
        let left_out = growth["programs_left_out_bytes"].as_i64().unwrap_or(0);
        assert_eq!(told + left_out, growth["bytes"].as_i64().unwrap(), "{via}");
        let looked_into = report["malloc"].as_array().unwrap();
        assert!(!looked_into.is_empty(), "{via}");
        let is_told = |malloc: &Value| rows.iter().any(|row| row["pid"] == malloc["pid"]);
        assert!(looked_into.iter().all(is_told), "{looked_into:?}");
    }
    let refused = output(&["trace", "--all", "--via", "ptrace"]);
    assert_eq!(refused.status.code(), Some(1));
    let complaint = String::from_utf8_lossy(&refused.stderr);
    let [ptrace, denied] = ["would stop each at every system call", "takes CAP_SYS_PTRACE"];
    assert!(complaint.contains(ptrace) || complaint.contains(denied), "{complaint}");
}

/// Frames of the stacks of a report, with bytes and what was asked of malloc.
fn stacks(report: &Value) -> Vec<(Vec<&str>, u64, &Value)> {
    let stacks = report["growth"]["by_stack"].as_array().unwrap();
    let stacks = stacks.iter().map(|stack| {
        let frames = stack["frames"].as_array().unwrap().iter();
        let frames = frames.map(|frame| frame.as_str().unwrap()).collect();
        (frames, stack["bytes"].as_u64().unwrap(), &stack["requested"])
    });
    stacks.collect()
}

#[test]
fn who_asked_of_a_running_process() {
    for via in WAYS {
        if !permitted(via) {
            continue;
        }
        let mut asking = Asking::new(&["3"]);
        let folded = tempfile::NamedTempFile::new().unwrap();
        let options = ["--via", via, "--folded", folded.path().to_str().unwrap()];
        let watching = Watching::of(&[asking.pid()], &options);
        asking.asks();
        let report = watching.end();
        let [(frames, bytes, requested)] = &stacks(&report)[..] else {
            panic!("one place asks: {report:#}");
        };
        assert_eq!(*bytes, 3 * BLOCK_BYTES, "{via}");
        assert_eq!(**requested, json!({ "1048576": 3 }), "{via}");
        let own = frames.iter().position(|frame| *frame == "inner").unwrap();
        assert_eq!(frames[own - 1], "malloc (libc.so.6)", "{via}: {frames:?}");
        assert_eq!(frames[own..own + 4], ["inner", "middle", "outer", "main"], "{via}");
        assert_eq!(*frames.last().unwrap(), "_start", "{via}");
        let folded = std::fs::read_to_string(folded.path()).unwrap();
        assert!(folded.starts_with("_start;") && folded.ends_with(&format!(" {bytes}\n")));
    }
}

#[test]
fn a_stack_that_is_deeper_than_what_is_copied_says_so() {
    for via in WAYS {
        if !permitted(via) {
            continue;
        }
        let mut asking = Asking::new(&["1", "40000"]);
        let watching = Watching::of(&[asking.pid()], &["--via", via, "--stacks"]);
        asking.asks();
        let report = watching.end();
        let (frames, ..) = &stacks(&report)[0];
        let own = frames.iter().position(|frame| *frame == "inner").unwrap();
        match via {
            "ptrace" => assert_eq!(*frames.last().unwrap(), "_start"),
            _ => {
                let end = ["inner", "middle", "outer", "[stack not copied]"];
                assert_eq!(frames[own..], end, "{via}: {frames:?}");
                assert_eq!(report["growth"]["by_stack"][0]["truncated"], true);
            }
        }
    }
}

fn who_asked_at_a_reload(via: &str) {
    let Some(nginx) = Site::with_the_line(locations()) else {
        return;
    };
    if !permitted(via) {
        return;
    }
    let master = Master::start(&nginx, nginx.command());
    let watching = Watching::of(&[master.pid], &["--via", via, "--stacks"]);
    master.reload();
    let report = watching.end();
    assert_eq!(report["lost_events"], 0);
    let stacks = stacks(&report);
    let told: u64 = stacks.iter().map(|(_, bytes, _)| bytes).sum();
    let growth = &report["growth"];
    let without = growth.get("without_stack_bytes").map_or(0, |bytes| bytes.as_u64().unwrap());
    assert_eq!(told + without, growth["asked_bytes"], "{via}: {:#}", report["notes"]);
    assert!(told > 50 * without, "{via}: {without} without a stack");
    let loads = "SSL_CTX_load_verify_locations (libssl.so.3)";
    let at_loading = stacks.iter().filter(|(frames, ..)| frames.contains(&loads));
    let at_loading: u64 = at_loading.map(|(_, bytes, _)| bytes).sum();
    assert!(at_loading * 10 > told * 9, "{via}: {at_loading} of {told}");
    let counts = |requested: &Value| -> u64 {
        let requested = requested.as_object().into_iter().flatten();
        requested.filter_map(|(_, count)| count.as_u64()).sum()
    };
    let known: u64 = stacks.iter().map(|(.., requested)| counts(requested)).sum();
    let grown = report["growth"]["by_stack"].as_array().unwrap().iter();
    let grown: u64 = grown.map(|stack| stack["count"].as_u64().unwrap()).sum();
    assert!(known * 2 > grown, "{via}: of {grown} the size is known of {known}");
}

#[test]
fn who_asked_at_a_reload_by_bpf_programs() {
    who_asked_at_a_reload("bpf");
}

#[test]
fn who_asked_at_a_reload_by_tracepoints() {
    who_asked_at_a_reload("tracepoints");
}

#[test]
fn who_asked_at_a_reload_by_ptrace() {
    who_asked_at_a_reload("ptrace");
}

/// Counts up on its standard output as long as it lives.
fn counting() -> Child {
    Command::new("sh")
        .args(["-c", "n=0; while :; do n=$((n+1)); echo $n > \"$0\"; sleep 0.01; done"])
        .arg(std::env::temp_dir().join(format!("counting.{}", std::process::id())))
        .spawn()
        .unwrap()
}

#[test]
fn kill_9_leaves_the_process_running() {
    for via in WAYS {
        if !permitted(via) {
            continue;
        }
        let mut target = counting();
        let file = std::env::temp_dir().join(format!("counting.{}", std::process::id()));
        let pid = target.id() as i32;
        let mut watching = Watching::start(pid, via);
        watching.child.kill().unwrap();
        watching.child.wait().unwrap();
        let count = || std::fs::read_to_string(&file).ok()?.trim().parse::<u64>().ok();
        let now = until("it counts", count);
        until("it counts on", || count().filter(|later| *later > now + 5));
        target.kill().unwrap();
        target.wait().unwrap();
        std::fs::remove_file(&file).unwrap();
    }
}

#[test]
fn why_not() {
    let own = std::process::id();
    let cases = [("2147483647".to_owned(), "no process"), ("2".to_owned(), "kernel thread")];
    for (pid, word) in cases {
        if pid == "2" && !is_kernel_thread(2) {
            crate::common::skipped("no kernel thread is visible here (another pid namespace)");
            continue;
        }
        let output = output(&["trace", "--pid", &pid, "--duration", "0.1"]);
        let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{pid}: {complaint}");
        assert!(complaint.contains(word), "{pid}: {complaint}");
    }
    // Itself: the shell becomes the command, and keeps its number.
    let itself = Command::new("sh")
        .args(["-c", "exec \"$0\" trace --pid $$", env!("CARGO_BIN_EXE_brkhole")])
        .output()
        .unwrap();
    assert_eq!(itself.status.code(), Some(1), "{own}");
    let complaint = String::from_utf8_lossy(&itself.stderr).into_owned();
    assert!(complaint.contains("itself"), "{complaint}");
}

/// As in the background of a script, which has it ignore SIGINT: that stays so, and it can be ended.
#[test]
fn with_sigint_ignored_it_ends_otherwise() {
    let mut target = Command::new("sleep").arg("1000").spawn().unwrap();
    let pid = target.id().to_string();
    let watching = |more: &[&str]| {
        Command::new("sh")
            .args(["-c", "trap '' INT; exec \"$0\" \"$@\""])
            .args([env!("CARGO_BIN_EXE_brkhole"), "trace", "--via", "ptrace"])
            .args(["--pid", &pid, "-o", "/dev/null"])
            .args(more)
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    };
    let mut bounded = watching(&["--duration", "0.1"]);
    assert!(ended(&mut bounded).success());
    let mut watcher = watching(&[]);
    let mut line = String::new();
    let mut said = lines(watcher.stderr.take().unwrap());
    said.read_line(&mut line).unwrap();
    assert!(line.contains("watching process"), "{line}");
    let watching = watcher.id().cast_signed();
    signal("INT", watching);
    signal("TERM", watching);
    assert!(ended(&mut watcher).success());
    assert!(target.try_wait().unwrap().is_none(), "it runs on");
    target.kill().unwrap();
    target.wait().unwrap();
}

fn is_kernel_thread(pid: i32) -> bool {
    std::fs::read(format!("/proc/{pid}/maps")).is_ok_and(|maps| maps.is_empty())
}

/// How long it lasts is what was asked for, and nothing is waited for beyond.
#[test]
fn watching_by_ptrace_lasts_as_long_as_asked() {
    const SECONDS: f64 = 0.5;
    let mut sleeper = Command::new("sleep").arg("1000").spawn().unwrap();
    let pid = sleeper.id().to_string();
    let arguments = ["trace", "--pid", &pid, "--via", "ptrace", "--duration", "0.5"];
    let done = output(&[&arguments[..], &["--format", "json"]].concat());
    let _ = sleeper.kill();
    ended(&mut sleeper);
    assert!(done.status.success(), "{done:?}");
    let report: Value = serde_json::from_slice(&done.stdout).unwrap();
    let lasted = report["observer"]["wall_seconds"].as_f64().unwrap();
    assert!((SECONDS..3.0 * SECONDS).contains(&lasted), "{report}");
}
