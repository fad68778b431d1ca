//! Logs that something happened to: nothing that is in them can stop the reader.

use heap_meter::source::strace_log::StraceLog;
use heap_meter::story::{fallback::Fallback, tally::Tally};

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
    include_bytes!("../data/strace/seed.txt"),
    include_bytes!("../data/strace/old-4.5.txt"),
    include_bytes!("../data/strace/old-attach.txt"),
    include_bytes!("../data/strace/annotated.txt"),
];

/// Bytes that mean something to the reader.
const MEANINGFUL: &[u8] = b"0123456789<>()[]{},=\"\\/*.:- +|?\n\rbpxaNUL";

/// Reads and holds what must be true of every log.
fn exhaust(log: &[u8]) {
    let mut reader = StraceLog::new((Tally::default(), Fallback::default()));
    // Errors are fine, too.
    let _ = reader.read("log.12", log);
    let finished = reader.finish();
    let lines = log.split(|byte| *byte == b'\n').count() as u64;
    let calls: u64 = finished
        .sink
        .0
        .by_name()
        .values()
        .map(|counts| counts.calls)
        .sum();
    assert!(
        calls + finished.unread.count <= lines,
        "a line is one thing only"
    );
    let halves = log.split_at(log.len() / 2);
    let logs = vec![
        ("log.12".to_owned(), halves.0),
        ("log.13".to_owned(), halves.1),
    ];
    let _ = StraceLog::new(()).read_together(logs);
}

#[test]
fn a_hundred_thousand_damaged_logs() {
    let mut random = Random(20170307);
    for turn in 0..100_000 {
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
