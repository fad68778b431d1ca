//! Real files, and what somebody may have made of them.

use super::*;
use std::io::Write;

fn file(bytes: &[u8]) -> File {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(bytes).unwrap();
    file
}

/// A file with two functions that it names to others, `malloc` and one that it needs, and after
/// them a table of symbols that is said to have so many bytes.
fn made(symbol_bytes: u64) -> Vec<u8> {
    const NAMES: &[u8] = b"\0malloc\0free\0";
    let symbol = |name: u32, section: u16, start: u64| {
        let mut bytes = name.to_le_bytes().to_vec();
        bytes.extend([elf::STB_GLOBAL << 4 | elf::STT_FUNC, 0]);
        bytes.extend(section.to_le_bytes());
        bytes.extend([start, 0x20].map(u64::to_le_bytes).concat());
        bytes
    };
    let symbols = [symbol(1, 1, 0x1000), symbol(8, elf::SHN_UNDEF, 0)].concat();
    let section = |kind: u32, offset: usize, bytes: u64, link: u32| {
        let mut header = [0; SECTION_BYTES];
        header[4..8].copy_from_slice(&kind.to_le_bytes());
        header[24..32].copy_from_slice(&(offset as u64).to_le_bytes());
        header[32..40].copy_from_slice(&bytes.to_le_bytes());
        header[40..44].copy_from_slice(&link.to_le_bytes());
        header
    };
    let names_at = HEADER_BYTES + symbols.len();
    let sections_at = names_at + NAMES.len();
    let sections = [
        section(elf::SHT_DYNSYM, HEADER_BYTES, symbol_bytes, 1),
        section(elf::SHT_STRTAB, names_at, NAMES.len() as u64, 0),
    ];
    let mut header = vec![0; HEADER_BYTES];
    header[..6].copy_from_slice(b"\x7fELF\x02\x01");
    header[40..48].copy_from_slice(&(sections_at as u64).to_le_bytes());
    header[58..60].copy_from_slice(&(SECTION_BYTES as u16).to_le_bytes());
    header[60..62].copy_from_slice(&(sections.len() as u16).to_le_bytes());
    [&header, &symbols, NAMES, &sections.concat()].concat()
}

const SYMBOLS: u64 = 2 * SYMBOL_BYTES as u64;

#[test]
fn what_it_defines_is_found() {
    let found = functions(&file(&made(SYMBOLS))).unwrap();
    let [malloc] = &found[..] else {
        panic!("{found:?}");
    };
    assert_eq!(malloc.name, "malloc");
    assert_eq!(malloc.range, 0x1000..0x1020);
}

#[test]
fn this_program_is_read() {
    let own = File::open("/proc/self/exe").unwrap();
    let functions = functions(&own).unwrap();
    assert!(functions.iter().any(|function| function.name == "main"));
    assert!(functions.iter().all(|function| function.range.start > 0));
}

/// However much a file claims to have, no more is read than a table may be.
#[test]
fn a_table_of_gigabytes_is_not_read() {
    const SPARSE_BYTES: u64 = 3 << 30;
    let sparse = file(&made(SPARSE_BYTES));
    sparse.set_len(SPARSE_BYTES).unwrap();
    let why = functions(&sparse).unwrap_err().to_string();
    assert!(why.contains("3221225472 bytes"), "{why}");
    let why = functions(&file(&made(1 << 20))).unwrap_err();
    assert!(format!("{why:#}").contains("cut off"), "{why:#}");
    assert!(functions(&file(b"#!/bin/sh")).is_err());
}

/// Bytes changed and cut off at random places: an error or other functions, no more.
#[test]
fn whatever_is_in_it() {
    let bytes = made(SYMBOLS);
    let mut dice = 0x9e37_79b9_7f4a_7c15_u64;
    for _ in 0..5000 {
        let mut changed = bytes.clone();
        for _ in 0..4 {
            dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let at = (dice >> 20) as usize % changed.len();
            changed[at] = (dice >> 56) as u8;
        }
        let length = changed.len() - (dice >> 33) as usize % 16;
        let _ = functions(&file(&changed[..length]));
    }
}
