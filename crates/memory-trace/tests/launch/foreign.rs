//! Programs of another architecture run, and the report says that they weren't followed.

use std::process::Command;
use suite::skipped;

use heap_growth::Tally;
use memory_event::{Ending, Syscall};
use memory_trace::LaunchNote;

use super::harness::{executable_copy, target, watch};

/// A 32-bit x86 program, by hand: `brk(0)` and `exit(7)`.
fn elf32() -> Vec<u8> {
    const BASE: u32 = 0x0804_8000;
    #[rustfmt::skip]
    let code: [u8; 18] = [
        0xb8, 45, 0, 0, 0, // mov eax, 45 (brk)
        0x31, 0xdb,        // xor ebx, ebx
        0xcd, 0x80,        // int 0x80
        0x31, 0xc0, 0x40,  // xor eax, eax; inc eax: 1 (exit)
        0xb3, 7,           // mov bl, 7
        0xcd, 0x80,        // int 0x80
        0x90, 0x90,
    ];
    let size = 52 + 32 + code.len() as u32;
    let mut file = b"\x7fELF\x01\x01\x01".to_vec();
    file.resize(16, 0);
    let mut halves = |values: &[u16]| values.iter().for_each(|v| file.extend(v.to_le_bytes()));
    // Type EXEC, machine 386.
    halves(&[2, 3]);
    let mut words = |values: &[u32]| values.iter().for_each(|v| file.extend(v.to_le_bytes()));
    // Version, entry, program headers right behind this one, no section headers, no flags.
    words(&[1, BASE + 84, 52, 0, 0]);
    // Sizes and numbers of the headers, two to a word: 52 and 32, 1 and 0, 0 and 0.
    words(&[32 << 16 | 52, 1, 0]);
    // One segment: LOAD, the whole file, readable and executable.
    words(&[1, 0, BASE, BASE, size, size, 5, 0x1000]);
    file.extend(code);
    file
}

#[test]
fn a_32_bit_program_runs_and_a_note_says_so() {
    if !cfg!(target_arch = "x86_64") {
        return skipped("only x86-64 runs this program");
    }
    let directory = tempfile::tempdir().unwrap();
    let program = directory.path().join("elf32");
    let content = directory.path().join("content");
    std::fs::write(&content, elf32()).unwrap();
    executable_copy(&content, &program, 0o755);
    match Command::new(&program).status() {
        Ok(status) => assert_eq!(status.code(), Some(7), "the program itself"),
        Err(error) => {
            return skipped(format_args!("this kernel runs no 32-bit programs ({error})"));
        }
    }

    // As the program itself.
    let finished = watch(&target(&program), Tally::default());
    assert_eq!(finished.ending, Ending::Code(7));
    assert_eq!(finished.sink, Tally::default());
    assert!(matches!(finished.notes[..], [LaunchNote::ForeignArchitecture { programs: 1, .. }]));
    assert!(finished.notes[0].to_string().starts_with("not followed: 32-bit"));

    // Within a tree: what runs before and after it is counted.
    let script = "\"$0\"; \"$0\"; cat /dev/null; exit 5";
    let finished = watch(&target("sh").args(["-c", script]).arg(&program), Tally::default());
    assert_eq!(finished.ending, Ending::Code(5));
    assert_eq!(finished.sink.get(Syscall::Execve).calls, 3);
    assert!(finished.sink.get(Syscall::Brk).calls > 2);
    assert!(matches!(finished.notes[..], [LaunchNote::ForeignArchitecture { programs: 2, .. }]));
}
