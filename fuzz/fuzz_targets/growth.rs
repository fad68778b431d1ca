//! Any events have a story: nothing panics, and the sums agree.
#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../../crates/heap-meter/tests/common/any_events.rs"]
mod any_events;

/// Some hundred events.
const LONGEST_INPUT: usize = 16 * 1024;

fuzz_target!(|bytes: &[u8]| {
    if bytes.len() <= LONGEST_INPUT {
        any_events::check(&any_events::of(bytes));
    }
});
