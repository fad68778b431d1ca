//! Logs that something happened to: nothing that is in them can stop the reader.

use fuzz_events::{Random, mutated, pieces};
use heap_growth::Story;
use strace_log::StraceLog;

use super::{births, foreign, wrapped};

const LOGS: [&[u8]; 4] = [
    include_bytes!("data/seed.txt"),
    include_bytes!("data/old-4.5.txt"),
    include_bytes!("data/old-attach.txt"),
    include_bytes!("data/annotated.txt"),
];

/// Logs of every kind: strace's in all its forms, wrapped ones, foreign ones.
fn logs() -> Vec<Vec<u8>> {
    let kept = LOGS.iter().map(|log| log.to_vec());
    let all = kept.chain(wrapped::all().into_iter().map(String::into_bytes));
    let foreign = foreign::OTHERS.iter().map(|(_, log)| log.as_bytes().to_vec());
    all.chain(foreign).chain([births::log().into_bytes()]).collect()
}

/// Reads as `brkhole explain` does, and holds what must be true of every log. (That each has a report,
/// heap-meter's tests see.)
fn exhaust(log: &[u8]) {
    let mut story = Story::default();
    story.growth.keep_layout();
    let mut reader = StraceLog::new(story);
    // Errors are fine, too.
    let _ = reader.read("log.12", log);
    let finished = reader.finish();
    let lines = log.split(|byte| *byte == b'\n').count() as u64;
    let counts = finished.sink.tally.by_name();
    let calls: u64 = counts.values().map(|counts| counts.calls).sum();
    assert!(calls + finished.unread.count <= lines, "a line is one thing only");
    let halves = log.split_at(log.len() / 2);
    let logs = vec![("log.12".to_owned(), halves.0), ("log.13".to_owned(), halves.1)];
    let _ = StraceLog::new(()).read_together(logs);
}

#[test]
fn ten_thousand_mutated_logs() {
    let (logs, mut random) = (logs(), Random(20161104));
    for _ in 0..10_000 {
        exhaust(&mutated(&logs, &mut random));
    }
}

#[test]
fn thousands_of_pieces_of_damaged_logs() {
    let mut random = Random(20170307);
    for turn in 0..3_000 {
        let log = pieces(LOGS[turn % LOGS.len()], &mut random);
        exhaust(&log);
    }
}

#[test]
fn deep_nesting_is_no_burden() {
    for bytes in ["(", "[", "{", "<", "3<", "\"", "/*", "\\", "|", ",", "0x"] {
        let log = format!("brk({} = 0x1000\n", bytes.repeat(60_000 / bytes.len()));
        exhaust(log.repeat(20).as_bytes());
    }
}
