//! Chains by unwind tables alone are complete wherever compilers have done their part, and end
//! honestly where they haven't.

use std::process::Command;

use proc_unwind::{Chain, Stacks};

use crate::frames::LARGE_BYTES;
use crate::harness::{Stop, compiled, registers, traced};

/// The names of the calls that each request for a large block was in.
fn chains(command: &mut Command) -> Vec<(Chain, Vec<String>)> {
    let mut stacks = Stacks::new();
    let mut found = Vec::new();
    traced(command, |stop: Stop| {
        if stop.number != libc::SYS_mmap
            || !(LARGE_BYTES..LARGE_BYTES + 8192).contains(&stop.args[1])
        {
            return;
        }
        let r = registers(stop.tid);
        let numbered = [
            r.rax, r.rdx, r.rcx, r.rbx, r.rsi, r.rdi, r.rbp, r.rsp, r.r8, r.r9, r.r10, r.r11,
            r.r12, r.r13, r.r14, r.r15, r.rip,
        ];
        let chain = stacks.chain(stop.pid, &numbered).expect("it is there");
        let names = chain.calls.iter();
        let names = names.map(|call| stacks.name(stop.pid, call.address).unwrap());
        let names = names.collect();
        found.push((chain, names));
    });
    found
}

#[test]
fn complete_from_both_threads() {
    for (variant, arguments) in [
        ("O0", &["-O0"][..]),
        ("O2", &["-O2", "-fomit-frame-pointer"]),
        ("static-pie", &["-O2", "-static-pie"]),
    ] {
        let program = compiled("deep", variant, arguments);
        let found = chains(Command::new(program).arg("3"));
        assert_eq!(found.len(), 2, "{variant}");
        for (chain, names) in &found {
            assert!(chain.complete, "{variant}: {names:?}");
            let at = names.iter().position(|name| name == "allocate_here");
            let (inner, outer) = names.split_at(at.unwrap());
            assert_eq!(outer[1..5], ["go_down"; 4], "{variant}");
            assert!(inner.iter().any(|name| name.starts_with("malloc")));
            let pointers = chain.calls.iter().map(|call| call.stack_pointer);
            assert!(pointers.is_sorted(), "{variant}: {chain:?}");
        }
    }
}

/// Code that the program made itself has no table, whatever frame pointers might tell.
#[test]
fn it_ends_where_there_is_no_table() {
    let found = chains(&mut Command::new(compiled("jit", "O2", &["-O2"])));
    let [(chain, names)] = &found[..] else {
        panic!("{found:?}");
    };
    assert!(!chain.complete, "{names:?}");
    assert!(names.iter().any(|name| name == "called_back"), "{names:?}");
    assert!(names.iter().all(|name| name != "main"), "{names:?}");
    let last = names.last().unwrap();
    assert!(last.starts_with("0x"), "{last}");
}

/// A handler has interrupted malloc.
#[test]
fn through_a_signal() {
    let found = chains(&mut Command::new(compiled("handler", "O2", &["-O2"])));
    let [(chain, names)] = &found[..] else {
        panic!("{found:?}");
    };
    assert!(chain.complete, "{names:?}");
    let place = |wanted: &str| names.iter().position(|name| name.starts_with(wanted));
    let (handler, interrupted) = (place("handler"), place("interrupted"));
    assert!(handler.is_some() && handler < interrupted, "{names:?}");
    assert!(interrupted < place("main"), "{names:?}");
}
