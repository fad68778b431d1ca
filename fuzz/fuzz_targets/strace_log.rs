//! The reader of strace logs takes any bytes without a panic, and what it reads it can write and
//! read again.
#![no_main]

use fuzz_events::StraceWriter;
use libfuzzer_sys::fuzz_target;
use memory_event::{Event, What};
use strace_log::StraceLog;

/// Enough for every form of line, and quick.
const LONGEST_INPUT: usize = 16 * 1024;

fn read(log: &[u8]) -> Vec<Event> {
    let mut reader = StraceLog::new(Vec::new());
    // What is no log is an error, after which what was told still counts.
    let _ = reader.read("fuzz.12", log);
    reader.finish().sink
}

fn calls(events: &[Event]) -> usize {
    let told = |event: &&Event| matches!(event.what, What::Call(_) | What::Exec { .. });
    events.iter().filter(told).count()
}

fuzz_target!(|log: &[u8]| {
    if log.len() > LONGEST_INPUT {
        return;
    }
    let events = read(log);
    assert!(events.iter().all(|event| event.at >= events[0].at));
    let mut writer = StraceWriter::new(Vec::new());
    for event in &events {
        writer.write(event).expect("a Vec takes every byte");
    }
    // A first exec that is written begins the log.
    let again = read(&writer.into_inner());
    assert!(calls(&again).abs_diff(calls(&events)) <= 1);

    let (first, second) = log.split_at(log.len() / 2);
    let logs = vec![
        ("fuzz.12".to_owned(), first),
        ("fuzz.13".to_owned(), second),
    ];
    let _ = StraceLog::new(()).read_together(logs);
});
