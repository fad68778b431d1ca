//! Real files, and what somebody may have made of them.

use std::fs;
use std::io::Write;

use super::*;

fn file(bytes: &[u8]) -> File {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(bytes).unwrap();
    file
}

/// A file that names two functions to others, `malloc` and `_alias` for it, needs a third, and whose
/// table of symbols is said to have so many bytes.
fn made(symbol_bytes: u64) -> Vec<u8> {
    const NAMES: &[u8] = b"\0malloc\0free\0_alias\0";
    const HEADER_BYTES: usize = 64;
    let symbol = |name: u32, section: u16, start: u64| {
        let mut bytes = name.to_le_bytes().to_vec();
        bytes.extend([elf::STB_GLOBAL << 4 | elf::STT_FUNC, 0]);
        bytes.extend(section.to_le_bytes());
        bytes.extend([start, 0x20].map(u64::to_le_bytes).concat());
        bytes
    };
    let undefined = elf::SHN_UNDEF;
    let symbols = [(1, 1, 0x1000), (8, undefined, 0), (13, 1, 0x1000)];
    let symbols = symbols.map(|(name, section, start)| symbol(name, section, start));
    let symbols = symbols.concat();
    let section = |kind: u32, offset: usize, bytes: u64, link: u32| {
        let mut header = [0; 64];
        header[4..8].copy_from_slice(&kind.to_le_bytes());
        header[24..32].copy_from_slice(&(offset as u64).to_le_bytes());
        header[32..40].copy_from_slice(&bytes.to_le_bytes());
        header[40..44].copy_from_slice(&link.to_le_bytes());
        header
    };
    let names_at = HEADER_BYTES + symbols.len();
    let sections_at = (names_at + NAMES.len()).next_multiple_of(8);
    let sections = [
        section(elf::SHT_NULL, 0, 0, 0),
        section(elf::SHT_DYNSYM, HEADER_BYTES, symbol_bytes, 2),
        section(elf::SHT_STRTAB, names_at, NAMES.len() as u64, 0),
    ];
    let mut header = vec![0; HEADER_BYTES];
    header[..7].copy_from_slice(b"\x7fELF\x02\x01\x01");
    header[20] = 1;
    header[40..48].copy_from_slice(&(sections_at as u64).to_le_bytes());
    header[52..54].copy_from_slice(&(HEADER_BYTES as u16).to_le_bytes());
    header[58..60].copy_from_slice(&64_u16.to_le_bytes());
    header[60..62].copy_from_slice(&(sections.len() as u16).to_le_bytes());
    let mut all = [&header, &symbols, NAMES].concat();
    all.resize(sections_at, 0);
    all.extend(sections.concat());
    all
}

const MADE_BYTES: u64 = 3 * SYMBOL_BYTES;

#[test]
fn what_it_defines_is_found() {
    let symbols = Symbols::read(&file(&made(MADE_BYTES)), SymbolTable::Dynsym).unwrap();
    let functions: Vec<_> = symbols.functions().collect();
    let [alias, malloc] = &functions[..] else {
        panic!("{functions:?}");
    };
    assert_eq!((alias.name, malloc.name), ("_alias", "malloc"));
    assert_eq!(malloc.addresses, 0x1000..0x1020);
    assert_eq!(symbols.at(0x101f), Some("malloc"));
    assert_eq!([0xfff, 0x1020].map(|address| symbols.at(address)), [None; 2]);
    let none = Symbols::read(&file(&made(MADE_BYTES)), SymbolTable::Symtab);
    assert_eq!(none.unwrap().functions().count(), 0);
}

#[test]
fn this_program_is_read() {
    let own = File::open("/proc/self/exe").unwrap();
    let elf = Elf::read(&own).unwrap();
    assert!(elf.has_symbols && elf.eh_frame.is_some() && elf.eh_frame_hdr.is_some());
    assert!(elf.file_range(elf.entry, 16).is_some());
    let symbols = Symbols::read(&own, SymbolTable::Symtab).unwrap();
    let main = symbols.functions().find(|function| function.name == "main");
    let main = main.unwrap().addresses;
    assert_eq!(symbols.at(main.end - 1), Some("main"));
}

/// However much a file claims to have, no more is read than a table may be.
#[test]
fn a_table_of_gigabytes_is_not_read() {
    const SPARSE_BYTES: u64 = 3 << 30;
    let read = |file: &File| Symbols::read(file, SymbolTable::Dynsym).unwrap_err();
    let sparse = file(&made(SPARSE_BYTES));
    sparse.set_len(SPARSE_BYTES).unwrap();
    assert!(read(&sparse).to_string().contains("3221225472 bytes"));
    assert_eq!(read(&file(&made(24 << 10))).kind(), io::ErrorKind::InvalidData);
    assert_eq!(read(&file(b"#!/bin/sh")).kind(), io::ErrorKind::InvalidData);
}

/// What is shortened while it is read is an error, no more: it isn't mapped.
#[test]
fn a_file_that_gets_shorter() {
    let file = file(&made(MADE_BYTES));
    let elf = Elf::read(&file).unwrap();
    file.set_len(0).unwrap();
    assert!(Symbols::read(&file, SymbolTable::Dynsym).is_err());
    assert_eq!(elf.table_bytes(), 0);
}

/// Bytes changed and cut off at random places: an error or other functions, no more.
#[test]
fn whatever_is_in_it() {
    let bytes = made(MADE_BYTES);
    let mut dice = 0x9e37_79b9_7f4a_7c15_u64;
    for _ in 0..5000 {
        let mut changed = bytes.clone();
        for _ in 0..4 {
            dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let at = (dice >> 20) as usize % changed.len();
            changed[at] = (dice >> 56) as u8;
        }
        changed.truncate(changed.len() - (dice >> 33) as usize % 16);
        if let Ok(symbols) = Symbols::of_bytes(&changed, SymbolTable::Dynsym) {
            let _ = symbols.at(0x1010);
        }
    }
}

/// lld's layout: each segment begins on the page of the file on which the one before it ends.
#[test]
fn a_page_that_two_segments_share_is_the_codes() {
    let segment = |start, bytes, offset, executable| Segment {
        addresses: start..start + bytes,
        offset,
        executable,
    };
    let segments = [
        segment(0, 0x11e0, 0, false),
        segment(0x21e0, 0x2000, 0x11e0, true),
        segment(0x51e0, 0x100, 0x31e0, false),
    ];
    let start = 0x7f00_0000_0000;
    assert_eq!(bias(&segments, start + 0x2000, 0x1000), Some(start));
    // What goes on there, where a mapping was split.
    assert_eq!(bias(&segments, start + 0x3000, 0x2000), Some(start));
    assert_eq!(bias(&segments, start, 0), Some(start));
    assert_eq!(bias(&segments, start, 0x4000), None);
}

/// Whatever linked this program: cargo's default is lld, a C compiler's is not.
#[test]
fn this_program_lies_where_the_kernel_says() {
    let vector = fs::read("/proc/self/auxv").unwrap();
    let word = |bytes: &[u8]| u64::from_ne_bytes(bytes.try_into().unwrap());
    let mut pairs = vector.chunks_exact(16).map(|pair| (word(&pair[..8]), word(&pair[8..])));
    let (_, headers) = pairs.find(|(kind, _)| *kind == libc::AT_PHDR).unwrap();
    let path = fs::read_link("/proc/self/exe").unwrap();
    let bytes = fs::read(&path).unwrap();
    let elf = Elf::of_bytes(&bytes).unwrap();
    // They lie in the first segment.
    let wanted = headers - word(&bytes[32..40]);
    let space = proc_memory::AddressSpace::of(std::process::id() as i32).unwrap();
    let code = space.mappings().iter().filter(|mapping| {
        mapping.permissions.execute && mapping.path().is_some_and(|own| own == path)
    });
    let biases: Vec<_> = code.map(|code| elf.bias(code.start, code.offset)).collect();
    assert!(!biases.is_empty() && biases.iter().all(|bias| *bias == Some(wanted)), "{biases:x?}");
}
