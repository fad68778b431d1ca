//! Logs that something happened to: nothing that is in them can stop the reader.

use heap_growth::Story;
use heap_meter::report;
use heap_meter::trace::{EventSource, Trace};
use strace_log::StraceLog;

use super::{births, foreign, wrapped};

/// xorshift64*: the same bytes in every run, so that a failure can be repeated.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % bound
    }
}

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
    let foreign = foreign::OTHERS
        .iter()
        .map(|(_, log)| log.as_bytes().to_vec());
    all.chain(foreign)
        .chain([births::log().into_bytes()])
        .collect()
}

/// Bytes that mean something to the reader.
const MEANINGFUL: &[u8] = b"0123456789<>()[]{},=\"\\/*.:- +|?\n\r\tbpxaNUL\x1b\xef";

/// Numbers at the edges of what a call can hold.
const NUMBERS: [&str; 10] = [
    "0",
    "1",
    "-1",
    "4096",
    "4294967295",
    "0xfffffffff72ec000",
    "0x7fffffffffff",
    "18446744073709551615",
    "0xffffffffffffffff",
    "99999999999999999999",
];

/// Reads as `brkhole explain` does, and holds what must be true of every log.
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
    assert!(
        calls + finished.unread.count <= lines,
        "a line is one thing only"
    );
    let trace = Trace::of(&finished.sink, EventSource::StraceLog, None);
    for text in [
        report::trace_table(&trace),
        report::trace_json(&trace).unwrap(),
        report::trace_csv(&trace).unwrap(),
    ] {
        assert!(!text.is_empty());
    }
    let halves = log.split_at(log.len() / 2);
    let logs = vec![
        ("log.12".to_owned(), halves.0),
        ("log.13".to_owned(), halves.1),
    ];
    let _ = StraceLog::new(()).read_together(logs);
}

/// Lines taken out, doubled, exchanged, or put in from another log; numbers at their edges; bytes.
fn mutated(logs: &[Vec<u8>], random: &mut Random) -> Vec<u8> {
    let log = &logs[random.below(logs.len())];
    let mut lines: Vec<Vec<u8>> = log
        .split(|byte| *byte == b'\n')
        .map(<[u8]>::to_vec)
        .collect();
    for _ in 0..1 + random.below(6) {
        let at = random.below(lines.len());
        match random.below(7) {
            0 if lines.len() > 1 => drop(lines.remove(at)),
            1 => lines.insert(at, lines[random.below(lines.len())].clone()),
            2 => {
                let with = random.below(lines.len());
                lines.swap(at, with);
            }
            3 => {
                let other = &logs[random.below(logs.len())];
                let theirs: Vec<_> = other.split(|byte| *byte == b'\n').collect();
                lines.insert(at, theirs[random.below(theirs.len())].to_vec());
            }
            4 => {
                let text = String::from_utf8_lossy(&lines[at]).into_owned();
                let mut words: Vec<&str> = text.split([' ', '(', ')', ',']).collect();
                let word = words.remove(random.below(words.len()));
                if !word.is_empty() {
                    let number = NUMBERS[random.below(NUMBERS.len())];
                    lines[at] = text.replacen(word, number, 1).into_bytes();
                }
            }
            5 if !lines[at].is_empty() => {
                let end = random.below(lines[at].len());
                lines[at].truncate(end);
            }
            _ if !lines[at].is_empty() => {
                let byte = random.below(lines[at].len());
                lines[at][byte] = MEANINGFUL[random.below(MEANINGFUL.len())];
            }
            _ => {}
        }
    }
    lines.join(&b'\n')
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
        let mut log = LOGS[turn % LOGS.len()].to_vec();
        // A few lines of it, as most of the time goes into those that are whole.
        let start = random.below(log.len());
        log.drain(..start);
        log.truncate(1 + random.below(400));
        for _ in 0..1 + random.below(6) {
            let at = random.below(log.len());
            match random.below(4) {
                0 => log[at] = MEANINGFUL[random.below(MEANINGFUL.len())],
                1 => log.insert(at, MEANINGFUL[random.below(MEANINGFUL.len())]),
                2 => log[at] = random.below(256) as u8,
                _ if log.len() > 1 => drop(log.remove(at)),
                _ => {}
            }
        }
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
