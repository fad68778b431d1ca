//! The parser of `/proc/PID/maps` takes any bytes without a panic, and what it accepts it can print
//! and read again.
#![no_main]

#[path = "../../crates/proc-memory/tests/written/mod.rs"]
mod written;

use libfuzzer_sys::fuzz_target;
use proc_memory::AddressSpace;

/// Printing pads a line, which must not take it over the longest that is read.
const LONGEST_INPUT: usize = 16 * 1024;

fuzz_target!(|list: &[u8]| {
    if list.len() > LONGEST_INPUT {
        return;
    }
    for start_brk in [None, Some(0x0269_1000)] {
        let Ok(space) = AddressSpace::parse(list, start_brk) else {
            return;
        };
        let mut printed = Vec::new();
        for mapping in space.mappings() {
            written::write_line(mapping, &mut printed).expect("a Vec takes every byte");
            let _ = (mapping.path(), mapping.length_bytes(), mapping.to_string());
        }
        let again = AddressSpace::parse(&*printed, start_brk).expect("what was printed is read");
        assert_eq!(again, space);
    }
});
