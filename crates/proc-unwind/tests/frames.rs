//! The functions of a stack, in their order.

use std::process::Command;
use std::sync::Arc;

use memory_event::Stack;
use proc_unwind::{MOST_FRAMES, Stacks};

use crate::harness::{compiled, traced};
use suite::skipped;

/// What the programs here ask for; glibc maps it by itself.
pub const LARGE_BYTES: u64 = 3_000_000;

/// The stacks behind each growth for a large block.
pub fn large_blocks(command: &mut Command, stacks: &mut Stacks) -> Vec<Arc<Stack>> {
    let mut found = Vec::new();
    traced(command, |stop| {
        if stop.number == libc::SYS_mmap
            && (LARGE_BYTES..LARGE_BYTES + 8192).contains(&stop.args[1])
        {
            found.push(stacks.of(stop.pid, stop.tid).expect("it stands still"));
        }
    });
    assert_eq!(stacks.notes(), [""; 0]);
    found
}

/// From the frame of this name on, innermost first.
pub fn from<'a>(stack: &'a Stack, name: &str) -> Vec<&'a str> {
    let frames: Vec<_> = stack.frames.iter().map(|frame| &**frame).collect();
    let start = frames.iter().position(|frame| *frame == name);
    frames[start.unwrap_or_else(|| panic!("no {name}: {stack:#?}"))..].to_vec()
}

fn deep(variant: &str, arguments: &[&str], depth: usize) -> Vec<Arc<Stack>> {
    let program = compiled("deep", variant, arguments);
    let mut command = Command::new(program);
    let found = large_blocks(command.arg(depth.to_string()), &mut Stacks::new());
    assert_eq!(found.len(), 2, "once from each thread");
    found
}

#[test]
fn named_in_order_however_compiled() {
    for (variant, arguments) in [
        ("O0", &["-O0"][..]),
        ("O2", &["-O2", "-fomit-frame-pointer"]),
        ("no-pie", &["-O2", "-no-pie"]),
        ("static", &["-O2", "-static"]),
        ("static-pie", &["-O2", "-static-pie"]),
    ] {
        let found = deep(variant, arguments, 3);
        let first = from(&found[0], "allocate_here");
        let downwards = ["allocate_here", "go_down", "go_down", "go_down", "go_down"];
        assert_eq!(first[..5], downwards, "{variant}");
        assert_eq!(first[5], "main", "{variant}");
        assert_eq!(*first.last().unwrap(), "_start", "{variant}");
        let second = from(&found[1], "allocate_here");
        assert_eq!(second[..5], downwards, "{variant}");
        assert_eq!(second[5], "of_thread", "{variant}");
        assert!(!found[0].truncated && !found[1].truncated, "{variant}: {found:#?}");
        let malloc = if variant.starts_with("static") { "malloc" } else { "malloc (libc.so.6)" };
        assert_eq!(from(&found[0], malloc)[1], "allocate_here", "{variant}");
        if !variant.starts_with("static") {
            assert_eq!(found[0].requested_bytes, Some(LARGE_BYTES), "{variant}");
        }
    }
}

#[test]
fn a_stripped_program_is_told_by_addresses() {
    let found = deep("stripped", &["-O2", "-s"], 3);
    let first = from(&found[0], "malloc (libc.so.6)");
    let own = first.iter().filter(|frame| frame.starts_with("stacks-deep-stripped+0x"));
    // allocate_here, go_down four times, main, _start.
    assert_eq!(own.count(), 7, "{first:#?}");
    // The three calls from go_down to itself are one place.
    assert_eq!(first[3], first[4]);
    assert!(!found[0].truncated);
    assert_eq!(found[0].requested_bytes, Some(LARGE_BYTES));
}

#[test]
fn deep_ones_and_too_deep_ones() {
    let count = |stack: &Stack| stack.frames.iter().filter(|f| &***f == "go_down").count();
    let found = deep("O2", &["-O2", "-fomit-frame-pointer"], 64);
    for stack in found {
        assert_eq!(count(&stack), 65);
        assert!(!stack.truncated);
    }
    let found = deep("O2", &["-O2", "-fomit-frame-pointer"], 500);
    for stack in found {
        assert_eq!(stack.frames.len(), MOST_FRAMES);
        assert!(stack.truncated);
    }
}

#[test]
fn code_that_a_program_makes_is_an_address() {
    for (variant, arguments) in [("O0", &["-O0"][..]), ("O2", &["-O2"])] {
        let program = compiled("jit", variant, arguments);
        let found = large_blocks(&mut Command::new(program), &mut Stacks::new());
        assert_eq!(found.len(), 1);
        let frames = from(&found[0], "called_back");
        assert!(frames[1].starts_with("0x7"), "{variant}: {frames:?}");
        assert_eq!(frames[2..4], ["run_code", "main"], "{variant}");
        assert!(!found[0].truncated);
        assert_eq!(found[0].requested_bytes, Some(LARGE_BYTES));
    }
}

#[test]
fn mangled_names_are_told_as_written() {
    if Command::new("c++").arg("--version").output().is_err() {
        return skipped("c++ is not installed");
    }
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/programs/mangled.cc");
    let program = std::env::temp_dir().join("stacks-mangled");
    let mut compiler = Command::new("c++");
    let status = compiler.args(["-O1", "-o"]).arg(&program).arg(source).status();
    assert!(status.unwrap().success());
    let found = large_blocks(&mut Command::new(program), &mut Stacks::new());
    assert_eq!(from(&found[0], "house::Room::grow(int)")[1], "main");
}

/// Before `main`, the dynamic linker asks for memory, too.
#[test]
fn every_stack_of_a_program_is_whole() {
    let program = compiled("deep", "O2", &["-O2", "-fomit-frame-pointer"]);
    let mut stacks = Stacks::new();
    let mut count = 0;
    traced(Command::new(program).arg("3"), |stop| {
        let stack = stacks.of(stop.pid, stop.tid).expect("it stands still");
        assert!(!stack.truncated && stack.frames.len() > 3, "{stack:#?}");
        count += 1;
    });
    assert!(count > 5);
}
