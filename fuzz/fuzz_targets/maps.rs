//! The parser of `/proc/PID/maps` takes any bytes without a panic, and what it accepts it can print
//! and read again.
#![no_main]

use std::io::Write;

use libfuzzer_sys::fuzz_target;
use proc_memory::{AddressSpace, Mapping};

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
            write_line(mapping, &mut printed);
            let _ = (mapping.path(), mapping.length_bytes());
        }
        let again = AddressSpace::parse(&*printed, start_brk).expect("what was printed is read");
        assert_eq!(again, space);
    }
});

/// The line as the kernel writes it but for its padding: with the name's own bytes.
fn write_line(mapping: &Mapping, out: &mut Vec<u8>) {
    let nameless = Mapping { name: Box::default(), deleted: false, ..mapping.clone() };
    let deleted = if mapping.deleted { " (deleted)" } else { "" };
    write!(out, "{nameless} ").expect("a Vec takes every byte");
    out.extend_from_slice(&mapping.name);
    writeln!(out, "{deleted}").expect("a Vec takes every byte");
}
