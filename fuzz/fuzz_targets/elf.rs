//! Any file that a process may have mapped: nothing panics, and what is told of it lies in it.
#![no_main]

use proc_unwind::{Elf, SymbolTable, Symbols};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(elf) = Elf::of_bytes(bytes) {
        assert!(elf.table_bytes() <= 2 * bytes.len());
        for segment in &elf.segments {
            let Some(last) = segment.addresses.clone().next_back() else {
                continue;
            };
            for address in [segment.addresses.start, last] {
                if let Some(range) = elf.file_range(address, 64) {
                    assert!((1..=64).contains(&(range.end - range.start)));
                }
            }
        }
    }
    for table in [SymbolTable::Dynsym, SymbolTable::Symtab] {
        let Ok(symbols) = Symbols::of_bytes(bytes, table) else {
            continue;
        };
        assert!(symbols.table_bytes() <= 3 * bytes.len());
        for function in symbols.functions().take(1000) {
            if !function.addresses.is_empty() {
                assert!(symbols.at(function.addresses.start).is_some());
            }
        }
    }
});
