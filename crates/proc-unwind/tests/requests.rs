//! The size that was asked of malloc: where it is told, it is right, and it mostly is told.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use proc_unwind::Stacks;

use crate::harness::{compiled, traced};
use suite::skipped;

/// Growths whose request was known, and all growths.
#[derive(Clone, Copy, Debug, Default)]
struct Rate {
    known: u32,
    all: u32,
}

const FUNCTIONS: [(u64, &str); 5] = [
    (100, "malloc"),
    (101, "calloc"),
    (102, "realloc"),
    (103, "posix_memalign"),
    (104, "memalign"),
];

/// By function and requested bytes. Fails at the first number that is wrong.
fn rates(program: &Path, mode: &str, mut stacks: Stacks) -> BTreeMap<(u64, u64), Rate> {
    let mut rates = BTreeMap::<(u64, u64), Rate>::new();
    traced(Command::new(program).arg(mode), |stop| {
        let stack = stacks.of(stop.pid, stop.tid).expect("it stands still");
        let (bytes, function) = stop.said;
        if bytes > 0 {
            let rate = rates.entry((function, bytes)).or_default();
            rate.all += 1;
            rate.known += u32::from(stack.requested_bytes.is_some());
            if let Some(told) = stack.requested_bytes {
                assert_eq!(told, bytes, "{mode}: {stop:?} {stack:#?}");
            }
        }
    });
    rates
}

fn is_glibc_2_36() -> bool {
    let version = Command::new("ldd").arg("--version").output();
    let text = version.map(|out| String::from_utf8_lossy(&out.stdout).into_owned());
    text.is_ok_and(|text| text.lines().next().is_some_and(|line| line.ends_with(" 2.36")))
}

/// With the symbols of libc that a distribution ships apart, where they are installed, and without.
#[test]
fn right_where_told_and_mostly_told() {
    let program = compiled("asks", "plain", &["-O2"]);
    let expected = is_glibc_2_36();
    if !expected {
        skipped(
            "how many requests are known: expected for glibc 2.36 alone (whether they are right, is tested)",
        );
    }
    for mode in ["main", "hole", "thread"] {
        for stacks in [Stacks::new(), Stacks::with_debug_directories(Vec::new())] {
            let rates = rates(&program, mode, stacks);
            for (number, name) in FUNCTIONS {
                let of_function = rates.iter().filter(|((function, _), _)| *function == number);
                let (mut sizes, mut sum) = (0, Rate::default());
                for (_, rate) in of_function {
                    sizes += u32::from(rate.known > 0);
                    sum.known += rate.known;
                    sum.all += rate.all;
                }
                println!("{mode}: {name}: {sizes} sizes, {} of {}", sum.known, sum.all);
                assert!(sum.all >= 7, "{mode}: {name} made the heap grow: {sum:?}");
                if expected {
                    let enough = if number == 102 { 5 } else { 12 };
                    assert!(sizes >= enough, "{mode}: {name}: {rates:?}");
                    assert!(sum.known * 10 >= sum.all * 9, "{mode}: {name}: {rates:?}");
                }
            }
        }
    }
}

#[test]
fn right_at_random() {
    for (variant, arguments) in [("plain", &["-O2"][..]), ("O0", &["-O0"])] {
        let program = compiled("asks", variant, arguments);
        let (mut known, mut all) = (0, 0);
        for rate in rates(&program, "random", Stacks::new()).values() {
            known += rate.known;
            all += rate.all;
        }
        println!("random, {variant}: {known} of {all}");
        assert!(all > 500, "{all} growths");
        assert!(!is_glibc_2_36() || known * 10 >= all * 9, "{known} of {all}");
    }
}

/// The functions of a static program have names if it isn't stripped.
#[test]
fn static_programs() {
    let program = compiled("asks", "static", &["-O2", "-static"]);
    let mut sum = Rate::default();
    for rate in rates(&program, "main", Stacks::new()).values() {
        sum.known += rate.known;
        sum.all += rate.all;
    }
    println!("static: {} of {}", sum.known, sum.all);
    if is_glibc_2_36() {
        assert!(sum.known * 10 >= sum.all * 9, "{sum:?}");
    }
    let stripped = compiled("asks", "static-stripped", &["-O2", "-static", "-s"]);
    // Without a name, malloc can't be told from what calls `_int_malloc` for itself.
    let rates = rates(&stripped, "main", Stacks::new());
    for ((function, bytes), rate) in rates {
        assert!(function >= 103 || rate.known == 0, "{function} {bytes}: {rate:?}");
    }
}
