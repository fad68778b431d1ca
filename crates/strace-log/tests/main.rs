//! The `strace_log` source on logs of all kinds: kept ones, ones that strace writes here and now,
//! written ones, damaged ones, and what is no log at all.

use suite as _;

mod births;
mod damaged;
mod foreign;
mod kept;
mod one_story;
mod real;
mod refused;
mod refused_memory;
mod round_trip;
mod together;
mod wrapped;

use memory_event::{Event, What};
use strace_log::{ReadLog, StraceLog};

/// Reads a log that must be one.
fn read(name: &str, log: &[u8]) -> ReadLog<Vec<Event>> {
    let mut reader = StraceLog::new(Vec::new());
    if let Err(error) = reader.read(name, log) {
        panic!("{error}");
    }
    let mut finished = reader.finish();
    // Where a call stands in a log is no event of the run, and a name belongs to what stands before it.
    let of_the_run = |event: &Event| !matches!(event.what, What::Line(_) | What::Program(_));
    finished.sink.retain(of_the_run);
    finished
}
