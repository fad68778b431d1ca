//! A 32-bit x86 program, by hand, for machines without a compiler for these.

use std::path::{Path, PathBuf};
use std::process::Command;

/// Writes it to a directory. It runs in a circle.
pub(super) fn install(directory: &Path) -> PathBuf {
    let (content, program) = (directory.join("content"), directory.join("program"));
    std::fs::write(&content, elf()).unwrap();
    // Not written here: a child of another test could have it open, and nobody could execute it.
    let mut install = Command::new("install");
    install.arg("--mode=755").args([&content, &program]);
    assert!(install.status().unwrap().success());
    program
}

fn elf() -> Vec<u8> {
    const BASE: u32 = 0x0804_8000;
    const HEADERS: u32 = 52 + 32;
    // jmp to itself
    let code = [0xeb, 0xfe];
    let size = HEADERS + code.len() as u32;
    let mut file = b"\x7fELF\x01\x01\x01".to_vec();
    file.resize(16, 0);
    // Type EXEC, machine 386; version, entry, where the program headers are, no sections.
    let header = [3 << 16 | 2, 1, BASE + HEADERS, 52, 0, 0, 32 << 16 | 52, 1, 0];
    // LOAD the whole file, readable and executable.
    let segment = [1, 0, BASE, BASE, size, size, 5, 0x1000];
    for word in header.into_iter().chain(segment) {
        file.extend(u32::to_le_bytes(word));
    }
    file.extend(code);
    file
}
