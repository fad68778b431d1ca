//! The same run, seen by `strace -f` and by the programs.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Stdio};

use bpf_memory_trace::{Hook, Options, Record, Seen, Tracer};
use memory_event::{Ending, Syscall};
use suite::nginx::{BUNDLE, Site};
use suite::waiting::{ended, eventually};

use crate::harness::{Held, hooks, watched};

/// What a thread did: calls as strace writes them, and its end.
type Told = BTreeMap<u32, Vec<String>>;

/// Calls whose arguments strace gives as numbers; of the others, the path.
const IN_NUMBERS: &str = "brk,mmap,munmap,mremap,mprotect,madvise,close,execve,execveat";

#[test]
fn threads_forks_and_execs_are_told_as_strace_tells_them() {
    if !suite::installed("strace") {
        return;
    }
    for hook in hooks() {
        let by_strace = told_by_both(hook, Held::new(&["8"]));
        assert_eq!(by_strace.len(), 1 + 8 + 8 + 1, "threads and forks");
        assert!(by_strace.values().map(Vec::len).sum::<usize>() > 8 * 50 * 15);
    }
}

/// The program, and the shell's line that is held until both watch.
const LINES: [(&str, &str); 4] = [
    ("perl", "perl -MPOSIX -e '$child = fork; @all = map { q(x) x ($_ << 10) } 1..64; wait'"),
    (
        "python3",
        "python3 -c '
from threading import Thread
all = [Thread(target=lambda: [bytearray(n << 12) for n in range(64)]) for _ in range(8)]
[one.start() for one in all]
[one.join() for one in all]'",
    ),
    (
        "git",
        "git init --quiet . && seq 9999 >file && git add file &&
git -c user.name=n -c user.email=e commit --quiet --message one && git log --patch | wc -l &&
git gc --quiet",
    ),
    ("gzip", "seq 99999 | sort --reverse | gzip | gunzip | wc --lines"),
];

#[test]
fn programs_of_all_kinds_are_told_as_strace_tells_them() {
    if !suite::installed("strace") {
        return;
    }
    for (program, line) in LINES {
        if suite::installed(program) {
            for hook in hooks() {
                let directory = tempfile::tempdir().unwrap();
                let by_strace = told_by_both(hook, shell(line, directory.path()));
                let (threads, calls) =
                    (by_strace.len(), by_strace.values().map(Vec::len).sum::<usize>());
                suite::remarked(format_args!(
                    "{program} by {hook:?}: {calls} calls, {threads} threads"
                ));
                assert!(calls > 100);
            }
        }
    }
}

/// Which reads the bundle once for the first block and for each of 100 locations.
const NGINX: &str = "
nginx='nginx -p . -c nginx.conf -e error.log'
started() { until test \"$(grep -c 'start worker processes' error.log)\" = $1; do sleep 1; done; }
$nginx -q -t
$nginx -g 'daemon off;' &
started 1; kill -HUP $!
started 2; kill -QUIT $!
wait";

#[test]
fn nginx_is_told_as_strace_tells_it_when_it_tests_starts_and_reloads() {
    if !suite::installed("strace") {
        return;
    }
    for hook in hooks() {
        let Some(site) = Site::with_the_line(100) else {
            return;
        };
        let by_strace = told_by_both(hook, shell(NGINX, &site.path("")));
        let calls = by_strace.values().flatten();
        let openings = calls.filter(|call| call.contains(BUNDLE)).count();
        assert_eq!(openings, 3 * 101, "by {hook:?}");
    }
}

fn shell(line: &str, directory: &Path) -> Held {
    let line = format!("read go; {line}");
    Held::of(Command::new("sh").args(["-c", &line]).current_dir(directory).env("HOME", directory))
}

/// The same run, watched by both: what they tell must be equal.
fn told_by_both(hook: Hook, mut held: Held) -> Told {
    let mut tracer = Tracer::new(hook, Options::default()).unwrap();
    let directory = tempfile::tempdir().unwrap();
    let mut strace = Command::new("strace")
        .args(["-f", "-ff", "-q", "-s", "5000"])
        .args(["-e", &format!("raw={IN_NUMBERS}"), "-o"])
        .arg(directory.path().join("log"))
        .args(["-p", &held.pid().to_string()])
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    eventually("strace has it", || {
        let status = std::fs::read_to_string(format!("/proc/{}/status", held.pid())).unwrap();
        !status.contains("TracerPid:\t0\n")
    });
    let (records, missed) = watched(&mut tracer, &mut held);
    ended(&mut strace);
    assert_eq!(missed, Default::default(), "{hook:?}");
    tracer.prove().unwrap();

    let by_strace = strace_told(directory.path());
    let by_programs = programs_told(&records);
    for (tid, calls) in &by_strace {
        assert_eq!(by_programs.get(tid), Some(calls), "{tid} by {hook:?}");
    }
    assert_eq!(by_programs.len(), by_strace.len());
    in_order(&records);
    by_strace
}

/// Times don't go back, and nobody acts before it is made.
fn in_order(records: &[Record]) {
    assert!(records.is_sorted_by_key(|record| record.at_ns));
    let mut known = vec![records[0].tid];
    for record in records {
        assert!(known.contains(&record.tid), "{record:?} of a thread unheard of");
        if let Seen::Forked { child_tid, .. } = record.what {
            known.push(child_tid);
        }
    }
}

fn programs_told(records: &[Record]) -> Told {
    let mut told = Told::new();
    for record in records {
        let said = match &record.what {
            Seen::Returned { syscall, args, result, path, .. } => {
                returned(*syscall, args, *result, path.as_deref())
            }
            Seen::Exited { status, .. } => match Ending::from_wait_status(*status) {
                Some(Ending::Code(code)) => format!("exited {code}"),
                Some(Ending::Signal { signal, .. }) => format!("killed {signal}"),
                None => format!("{status:#x}"),
            },
            _ => continue,
        };
        told.entry(record.tid).or_default().push(said);
    }
    told
}

fn returned(syscall: Syscall, args: &[u64; 6], result: i64, path: Option<&[u8]>) -> String {
    let count = match syscall {
        Syscall::Brk | Syscall::Close => 1,
        Syscall::Munmap => 2,
        Syscall::Madvise | Syscall::Mprotect | Syscall::Execve => 3,
        Syscall::Mremap | Syscall::Execveat => 5,
        _ => 6,
    };
    let args = match syscall {
        _ if syscall.is_open() => {
            path.map_or("?".into(), |path| String::from_utf8_lossy(path).into_owned())
        }
        // The new program has other registers.
        Syscall::Execve if result == 0 => "...".into(),
        _ => args[..count].iter().map(|arg| format!("{arg:#x}")).collect::<Vec<_>>().join(", "),
    };
    let result = match result {
        -4095..0 => "-1".to_owned(),
        _ => format!("{result:#x}"),
    };
    format!("{}({args}) = {result}", syscall.name())
}

fn strace_told(directory: &Path) -> Told {
    let mut told = Told::new();
    for file in std::fs::read_dir(directory).unwrap() {
        let path = file.unwrap().path();
        let tid = path.extension().unwrap().to_str().unwrap().parse().unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        told.insert(tid, text.lines().filter_map(strace_line).collect());
    }
    told
}

fn strace_line(line: &str) -> Option<String> {
    if let Some(end) = line.strip_prefix("+++ ") {
        let end = end.trim_end_matches(" +++");
        return Some(match end.strip_prefix("exited with ") {
            Some(code) => format!("exited {code}"),
            // The only signal here.
            None if end.starts_with("killed by SIGABRT") => "killed 6".to_owned(),
            None => end.to_owned(),
        });
    }
    let (name, rest) = line.split_once('(')?;
    let syscall = Syscall::from_name(name)?;
    let (args, result) = rest.rsplit_once(" = ")?;
    let result = result.split(' ').next()?;
    let result = number(result);
    let args = args.trim_end().strip_suffix(')')?;
    let args = match syscall {
        _ if syscall.is_open() => match args.split('"').nth(1) {
            Some(path) => path.to_owned(),
            None => "?".to_owned(),
        },
        Syscall::Execve if result == "0x0" => "...".to_owned(),
        _ => {
            let args = args.split(", ").map(number);
            args.collect::<Vec<_>>().join(", ")
        }
    };
    Some(format!("{name}({args}) = {result}"))
}

/// A number as the programs' are written: in hexadecimal, but for errors.
fn number(text: &str) -> String {
    match text.parse::<u64>() {
        Ok(number) => format!("{number:#x}"),
        Err(_) => text.to_owned(),
    }
}
