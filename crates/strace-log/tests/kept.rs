//! Logs that are kept in the repository; what they hold was counted by hand.

use std::collections::BTreeMap;
use std::path::Path;

use heap_growth::{Fallback, Tally};
use memory_event::{Call, Ending, Event, Sink, Syscall, What};
use strace_log::{LogNote, ReadLog};

use super::read;

fn kept(name: &str) -> ReadLog<Vec<Event>> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data");
    let log = std::fs::read(directory.join(name)).unwrap();
    // However the lines end.
    let text = String::from_utf8(log.clone()).unwrap();
    let windows = read(name, text.replace('\n', "\r\n").as_bytes());
    let finished = read(name, &log);
    assert_eq!(windows.sink, finished.sink);
    assert_eq!(finished.unread.count, 0, "{:?}", finished.unread);
    assert_eq!(finished.lost_events, 0);
    finished
}

fn told<S: Sink + Default>(events: &[Event]) -> S {
    let mut sink = S::default();
    events.iter().for_each(|event| sink.take(event));
    sink
}

fn counts(events: &[Event]) -> BTreeMap<&'static str, (u64, u64)> {
    let tally: Tally = told(events);
    let pair = |(name, counts): (_, heap_growth::Counts)| (name, (counts.calls, counts.failed));
    tally.by_name().into_iter().map(pair).collect()
}

fn calls(events: &[Event]) -> impl Iterator<Item = &Call> {
    events.iter().filter_map(|event| match &event.what {
        What::Call(call) => Some(call),
        _ => None,
    })
}

fn paths(events: &[Event]) -> Vec<&[u8]> {
    calls(events).filter_map(|call| call.path.as_deref()).collect()
}

#[test]
fn the_excerpt_with_which_it_all_began() {
    let finished = kept("seed.txt");
    assert_eq!(
        counts(&finished.sink),
        BTreeMap::from([
            ("brk", (1, 1)),
            ("close", (1, 0)),
            ("mmap", (2, 0)),
            ("munmap", (1, 0)),
            ("open", (1, 0)),
        ])
    );
    assert_eq!(paths(&finished.sink), [b"/etc/ssl/certs/ca-certificates.crt"]);
    let fallback: Fallback = told(&finished.sink);
    assert_eq!((fallback.count(), fallback.bytes()), (1, 1_048_576));
    assert_eq!(finished.notes, [LogNote::BeginsInTheMiddle]);
    assert_eq!((finished.ending, finished.lines), (None, 17));
    assert!(finished.sink.iter().all(|event| event.pid == 31774));
}

#[test]
fn strace_of_twenty_years_ago() {
    let finished = kept("old-4.5.txt");
    assert_eq!(
        counts(&finished.sink),
        BTreeMap::from([
            ("brk", (2, 1)),
            ("close", (2, 1)),
            ("execve", (1, 0)),
            ("mmap", (3, 0)),
            ("munmap", (1, 0)),
            ("open", (2, 1)),
        ])
    );
    let fallback: Fallback = told(&finished.sink);
    assert_eq!(fallback.bytes(), 1_048_576);
    assert_eq!(finished.sink[0].what, What::Started);
    let birth = What::Forked { child: 1201, thread: false };
    let births: Vec<_> = finished
        .sink
        .iter()
        .filter(|event| matches!(event.what, What::Forked { .. }))
        .map(|event| (event.pid, event.what.clone()))
        .collect();
    assert_eq!(births, [(1200, birth)], "told once, before the child");
    assert_eq!(finished.sink.last().unwrap().at.as_micros(), 2100);
    assert_eq!(finished.notes, []);
}

#[test]
fn an_old_strace_that_attached() {
    let finished = kept("old-attach.txt");
    assert_eq!(
        counts(&finished.sink),
        BTreeMap::from([
            ("brk", (1, 0)),
            ("close", (2, 0)),
            ("execve", (1, 0)),
            ("mmap", (1, 0)),
            ("open", (1, 0)),
        ])
    );
    assert_eq!(finished.notes, [LogNote::BeginsInTheMiddle]);
    let of = |pid| finished.sink.iter().filter(move |event| event.pid == pid);
    assert_eq!((of(700).count(), of(701).count()), (4, 3));
}

#[test]
fn everything_that_strace_can_add() {
    let finished = kept("annotated.txt");
    let expected: [&[u8]; 3] =
        ["/tmp/a (b, c/x\u{e4}\"y<>".as_bytes(), b"/dev/null", b"/tmp/gone (deleted)"];
    assert_eq!(paths(&finished.sink), expected);
    assert_eq!(
        counts(&finished.sink),
        BTreeMap::from([
            ("brk", (1, 0)),
            ("close", (3, 0)),
            ("mmap", (2, 1)),
            ("openat", (2, 0)),
            ("openat2", (1, 0)),
        ])
    );
    let first_map = calls(&finished.sink).find(|call| call.syscall == Syscall::Mmap);
    let flags = (libc::MAP_PRIVATE | libc::MAP_ANONYMOUS) as u64;
    assert_eq!(first_map.unwrap().args, [0, 8192, 3, flags, 0xffff_ffff, 0]);
    assert_eq!(finished.ending, Some(Ending::Code(0)));
    assert_eq!(finished.sink.last().unwrap().at.as_micros(), 110);
}

/// A log that names nobody at first: here a grandchild speaks before the first process is named.
#[test]
fn who_is_who_among_those_without_a_name() {
    let log = "execve(\"/bin/sh\", [\"sh\"], 0x7ffe) = 0\n\
               clone(child_stack=NULL, flags=SIGCHLDstrace: Process 41 attached\n\
               , child_tidptr=0x7f01) = 41\n\
               [pid    41] clone(child_stack=NULL, flags=SIGCHLDstrace: Process 42 attached\n\
               \x20<unfinished ...>\n\
               [pid    42] close(3)                    = 0\n\
               [pid    42] +++ exited with 0 +++\n\
               [pid    41] <... clone resumed>)        = 42\n\
               [pid    40] close(4)                    = 0\n\
               [pid    41] +++ exited with 0 +++\n\
               brk(NULL)                               = 0x1000\n\
               +++ exited with 3 +++\n";
    let finished = read("log", log.as_bytes());
    let told: Vec<_> = finished
        .sink
        .iter()
        .map(|event| match &event.what {
            What::Forked { child, .. } => (event.pid, "forked", *child),
            What::Call(call) => (event.pid, call.syscall.name(), 0),
            What::Exited(_) => (event.pid, "exited", 0),
            _ => (event.pid, "started", 0),
        })
        .collect();
    let expected = [
        (0, "started", 0),
        (0, "forked", 41),
        (41, "forked", 42),
        (42, "close", 0),
        (42, "exited", 0),
        (0, "close", 0),
        (41, "exited", 0),
        (0, "brk", 0),
        (0, "exited", 0),
    ];
    assert_eq!(told, expected);
    assert_eq!(finished.ending, Some(Ending::Code(3)));
    assert_eq!((finished.unread.count, finished.notes.len()), (0, 0));
}
