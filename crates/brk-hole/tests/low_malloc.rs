//! lua-nginx-module's own test of its trick: with the hole, `ffi.C.malloc(1)` gives an address of at
//! least 2^31; without it, one below.
//!
//! It has a `main` of its own, because only the first thread's malloc works at the break, and it is
//! not position independent (build.rs). Each arm runs in a fresh process: this binary again.

use suite as _;

use brk_hole::Vm;
use std::process::{Command, ExitCode};

const LOW: usize = 1 << 31;
/// With ASLR a break above the guard is rare: the share that the program itself is of 1 GiB. Three in
/// a row mean that something else is wrong.
const ATTEMPTS: u32 = 3;

fn with_hole() -> bool {
    brk_hole::env_is(c"BRK_HOLE_ARM", c"hole")
}

// SAFETY: no constructor of this binary starts a thread.
brk_hole::punch_before_main!(unsafe static TRICK, if with_hole);

fn main() -> ExitCode {
    if std::env::var_os("BRK_HOLE_ARM").is_some() {
        return arm();
    }
    if !cfg!(all(target_arch = "x86_64", target_env = "gnu")) {
        println!("skipped: low_malloc: the trick's guard holds on x86-64 with glibc only");
        return ExitCode::SUCCESS;
    }
    let control = address("control").expect("without the hole nothing is guarded");
    assert!(control < LOW, "without the hole malloc gave {control:#x}");

    let Some(hole) = (0..ATTEMPTS).find_map(|_| address("hole")) else {
        println!("failed: low_malloc: the guard was false {ATTEMPTS} times");
        return ExitCode::FAILURE;
    };
    assert!(hole >= LOW, "with the hole malloc gave {hole:#x}");
    println!("ok: low_malloc: {control:#x} without the hole, {hole:#x} with it");
    ExitCode::SUCCESS
}

/// The address in a fresh process; `None` when the guard was false.
fn address(arm: &str) -> Option<usize> {
    let this = std::env::current_exe().unwrap();
    let output = Command::new(this).env("BRK_HOLE_ARM", arm).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let said = String::from_utf8(output.stdout).unwrap();
    said.trim().parse().ok()
}

fn arm() -> ExitCode {
    if let Some(outcome) = TRICK.outcome()
        && !outcome.is_made()
    {
        println!("{outcome}");
        return ExitCode::SUCCESS;
    }
    let vm = Vm::new().expect("a Lua state fits into the low 2 GiB");
    println!("{}", vm.malloc_address(1).unwrap());
    ExitCode::SUCCESS
}
