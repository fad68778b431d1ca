//! Logs that the machine's strace writes here and now: the same counts as its own summary gives,
//! in whatever form it writes them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use heap_growth::{Counts, Tally};
use memory_event::{Ending, Event, Syscall, What};
use memory_trace::{Launch, Stream, Target};
use strace_log::{ReadLog, StraceLog};
use tempfile::TempDir;

use suite::skipped;

type Told = (Tally, Vec<Event>);

/// Forms of a log; `-C` adds strace's own counts of the very same run.
const FORMS: [&[&str]; 9] = [
    &["-f", "-C"],
    &["-f", "-C", "-t"],
    &["-f", "-C", "-tt", "-T", "-y"],
    &["-f", "-C", "-ttt", "-i", "-yy"],
    &["-f", "-C", "-r", "-n"],
    &["-f", "-C", "-r", "-tt", "-X", "verbose"],
    &["-f", "-C", "-X", "raw", "-x"],
    &["-f", "-C", "-s", "4096", "-v"],
    &["-f", "-C", "-tt", "-T", "-y", "-k", "-i"],
];

/// The programs that the launcher is tried on, too.
fn compiled(name: &str) -> PathBuf {
    suite::compiled(
        concat!(env!("CARGO_MANIFEST_DIR"), "/../memory-trace"),
        env!("CARGO_TARGET_TMPDIR"),
        &format!("programs/{name}.c"),
        &format!("logged-{name}"),
        &["-O1"],
    )
}

fn has_strace() -> bool {
    let mut version = Command::new("strace");
    let version = version.arg("--version").stdout(Stdio::null());
    let there = version.status().is_ok_and(|status| status.success());
    if !there {
        skipped("strace is not installed");
    }
    there
}

/// Runs a command under strace.
fn strace(options: &[&str], log: &Path, words: &[&str]) {
    let mut command = Command::new("strace");
    command.args(options).arg("-o").arg(log).arg("--").args(words);
    command.env_remove("LD_PRELOAD").env("LC_ALL", "C");
    let status = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    status.status().expect("strace can be run");
}

fn read(log: &Path) -> ReadLog<Told> {
    let mut reader = StraceLog::new((Tally::default(), Vec::new()));
    let file = std::fs::File::open(log).unwrap();
    if let Err(error) = reader.read(&log.to_string_lossy(), file) {
        panic!("{error}");
    }
    reader.finish()
}

/// `% time, seconds, usecs/call, calls, [errors,] syscall`
fn row(line: &str) -> Option<(String, (u64, u64))> {
    let fields: Vec<_> = line.split_whitespace().collect();
    let (failed, name) = match fields[..] {
        [_, _, _, _, failed, name] => (failed.parse().ok()?, name),
        [_, _, _, _, name] => (0, name),
        _ => return None,
    };
    fields[0].parse::<f64>().ok()?;
    Some((name.to_owned(), (fields[3].parse().ok()?, failed)))
}

/// What the table at the end of a log counts.
fn summary(log: &Path) -> BTreeMap<String, (u64, u64)> {
    let text = String::from_utf8_lossy(&std::fs::read(log).unwrap()).into_owned();
    let (_, table) = text.rsplit_once("% time").expect("strace wrote its table");
    table.lines().filter_map(row).collect()
}

/// Counts as strace has them: refused `brk`s are none, and the first `execve` is one.
fn as_strace(tally: &Tally) -> BTreeMap<String, (u64, u64)> {
    let mut counts = BTreeMap::new();
    for syscall in Syscall::ALL {
        let Counts { mut calls, mut failed } = tally.get(syscall);
        match syscall {
            Syscall::Brk => failed = 0,
            Syscall::Execve => calls += 1,
            _ => {}
        }
        if calls > 0 {
            counts.insert(syscall.name().to_owned(), (calls, failed));
        }
    }
    counts
}

/// Everybody is introduced before being heard of, once, and belongs to one process.
fn check_order(events: &[Event]) {
    let mut process_of = BTreeMap::from([(events[0].tid, events[0].pid)]);
    let mut last = events[0].at;
    assert_eq!(events[0].what, What::Started);
    for event in events {
        assert!(event.at >= last, "time goes on");
        last = event.at;
        assert_eq!(process_of.get(&event.tid), Some(&event.pid), "{event:?}");
        match event.what {
            What::Forked { child, thread } => {
                let pid = if thread { event.pid } else { child };
                assert_eq!(process_of.insert(child, pid), None, "{event:?}");
            }
            What::Exec { .. } => {
                process_of.retain(|tid, pid| *pid != event.pid || *tid == event.pid);
            }
            What::Exited(_) => drop(process_of.remove(&event.tid)),
            _ => {}
        }
    }
    assert!(process_of.is_empty(), "everybody's end was told: {process_of:?}");
}

/// Every form of log of a command against strace's own counts of the same run.
fn in_all_forms(words: &[&str], forms: &[&[&str]]) {
    if !has_strace() {
        return;
    }
    let directory = TempDir::new().unwrap();
    for options in forms {
        let log = directory.path().join("log");
        strace(options, &log, words);
        let finished = read(&log);
        let theirs = summary(&log);
        let watched = |(name, _): &(&String, _)| Syscall::from_name(name).is_some();
        let theirs: BTreeMap<_, _> =
            theirs.iter().filter(watched).map(|(name, counts)| (name.clone(), *counts)).collect();
        assert_eq!(as_strace(&finished.sink.0), theirs, "{options:?} {words:?}");
        assert_eq!(finished.unread.count, 0, "{options:?} {:?}", finished.unread);
        assert_eq!(finished.lost_events, 0, "{options:?}");
        assert_eq!(finished.notes, [], "{options:?}");
        check_order(&finished.sink.1);
    }
}

#[test]
fn a_shell_pipeline() {
    let script = "seq 1 500 | sort -rn | tail -n 3; ls / /nonexistent 2>/dev/null | wc -l; exit 7";
    in_all_forms(&["sh", "-c", script], &FORMS);
}

#[test]
fn threads_forks_and_execs() {
    if !has_strace() {
        return;
    }
    for (name, arguments) in [
        ("threads", &[][..]),
        ("forks", &[]),
        ("spawn", &[]),
        ("exec_self", &["main", "3"]),
        ("exec_self", &["thread", "3"]),
        ("signals", &[]),
        ("killed", &["self"]),
    ] {
        let program = compiled(name);
        let words = [&[program.to_str().unwrap()], arguments].concat();
        in_all_forms(&words, &FORMS[..5]);
    }
}

#[test]
fn python() {
    let path = Command::new("python3").args(["-c", "import sys; print(sys.executable)"]).output();
    let Some(path) = path.ok().filter(|output| output.status.success()) else {
        return skipped("python3 is not installed");
    };
    let path = String::from_utf8(path.stdout).unwrap();
    let script = "import subprocess, threading\n\
                  threading.Thread(target=lambda: bytearray(1 << 22)).start()\n\
                  subprocess.run(['true'])";
    in_all_forms(&[path.trim(), "-I", "-S", "-c", script], &FORMS[2..6]);
}

/// The source for a live process and the one for its log tell one story.
#[test]
fn the_launcher_sees_the_same() {
    if !has_strace() {
        return;
    }
    let directory = TempDir::new().unwrap();
    for (name, argument) in [("fallback", "hole"), ("fallback", "free"), ("killed", "self")] {
        let program = compiled(name);
        let log = directory.path().join("log");
        strace(&["-f", "-ttt", "-y"], &log, &[program.to_str().unwrap(), argument]);
        let logged = read(&log);
        let target = Target::new(&program)
            .arg(argument)
            .env_remove("LD_PRELOAD")
            .env("LC_ALL", "C")
            .stdin(Stream::Null)
            .stdout(Stream::Null)
            .stderr(Stream::Null);
        let launch = Launch::start(&target, (Tally::default(), Vec::<Event>::new()));
        let launched = launch.and_then(Launch::wait).unwrap();
        assert_eq!(logged.ending, Some(launched.ending));
        assert_eq!(logged.sink.0, launched.sink.0, "{name} {argument}");
        let calls = |events: &[Event]| {
            let call = |event: &Event| match &event.what {
                // Addresses differ, and those of paths aren't in a log.
                What::Call(call) => Some((
                    call.syscall,
                    (call.syscall == Syscall::Mmap)
                        .then(|| [call.args[1], call.args[2], call.args[3]]),
                    call.path.clone(),
                    call.failed(),
                )),
                _ => None,
            };
            events.iter().filter_map(call).collect::<Vec<_>>()
        };
        assert_eq!(calls(&logged.sink.1), calls(&launched.sink.1), "{name} {argument}");
    }
}

/// Written to standard error, a log names nobody as long as only one is there, and strace writes
/// about new ones into the lines of others.
#[test]
fn on_standard_error() {
    if !has_strace() {
        return;
    }
    let script = "for i in 1 2 3 4 5 6 7 8; do (ls / | sort | tail -n 1) >/dev/null; done; exit 3";
    for options in [&["-f", "-C"][..], &["-f", "-C", "-tt"], &["-f", "-C", "-r", "-i"]] {
        let output = Command::new("strace")
            .args(options)
            .args(["--", "sh", "-c", script])
            .env_remove("LD_PRELOAD")
            .output()
            .expect("strace can be run");
        let directory = TempDir::new().unwrap();
        let log = directory.path().join("log");
        std::fs::write(&log, &output.stderr).unwrap();
        let finished = read(&log);
        let theirs = summary(&log);
        for (name, counts) in as_strace(&finished.sink.0) {
            assert_eq!(Some(&counts), theirs.get(&name), "{name} {options:?}");
        }
        assert_eq!(finished.unread.count, 0, "{:?}", finished.unread);
        assert_eq!(finished.ending, Some(Ending::Code(3)));
        assert_eq!(finished.notes, []);
        check_order(&finished.sink.1);
    }
}

/// One log for each thread.
#[test]
fn a_log_for_each() {
    if !has_strace() {
        return;
    }
    let directory = TempDir::new().unwrap();
    let program = compiled("threads");
    for time in ["-ttt", "-tt", "-T"] {
        let logs = directory.path().join(time);
        std::fs::create_dir(&logs).unwrap();
        strace(&["-ff", time], &logs.join("log"), &[program.to_str().unwrap()]);
        let mut paths: Vec<_> =
            std::fs::read_dir(&logs).unwrap().map(|entry| entry.unwrap().path()).collect();
        paths.sort();
        let open = |path: &PathBuf| {
            let name = path.to_str().unwrap().to_owned();
            (name, std::fs::File::open(path).unwrap())
        };
        let mut reader = StraceLog::new((Tally::default(), Vec::new()));
        reader.read_together(paths.iter().map(open).collect()).unwrap();
        let finished = reader.finish();
        assert_eq!(finished.unread.count, 0, "{:?}", finished.unread);
        assert_eq!(finished.sink.0.get(Syscall::Mremap).calls, 640);
        let merged = time != "-T";
        assert_eq!(finished.notes.len(), usize::from(!merged), "{:?}", finished.notes);
        let processes: std::collections::BTreeSet<_> =
            finished.sink.1.iter().map(|event| event.pid).collect();
        assert_eq!(processes.len(), 1, "65 threads of one process");
        if merged {
            check_order(&finished.sink.1);
        }
    }
}
