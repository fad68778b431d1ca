//! Any events have a story: nothing panics, and the sums agree.
#![no_main]

use fuzz_events::{check_story, events_of};
use libfuzzer_sys::fuzz_target;

/// Some hundred events.
const LONGEST_INPUT: usize = 16 * 1024;

fuzz_target!(|bytes: &[u8]| {
    if bytes.len() <= LONGEST_INPUT {
        check_story(&events_of(bytes));
    }
});
