//! The trick, its guard, and the constructor that plays it before `main`.
//!
//! The test runner has threads, so each case runs in a fresh process: this binary again, told by
//! the environment what to do.

use brk_hole::{BreakGrowth, TRICK_GUARD, TrickOutcome, limit_data_segment, program_break};
use std::io::Write;
use std::process::Command;

const ROLE: &str = "BRK_HOLE_TEST_ROLE";

fn wanted() -> bool {
    brk_hole::env_is(c"BRK_HOLE_TEST_ROLE", c"constructor")
}

// SAFETY: no constructor of this binary starts a thread.
brk_hole::punch_before_main!(unsafe static TRICK, if wanted);

/// Runs the test `name` of this binary in a process of its own, with `role` set, through `through`.
fn alone(through: &[&str], name: &str, role: &str) -> String {
    let this = std::env::current_exe().unwrap();
    let mut command = match through {
        [] => Command::new(&this),
        [program, arguments @ ..] => {
            let mut command = Command::new(program);
            command.args(arguments).arg(&this);
            command
        }
    };
    let output = command
        .args(["--exact", &format!("trick::{name}"), "--nocapture", "--test-threads=1"])
        .env(ROLE, role)
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

fn role() -> Option<String> {
    std::env::var(ROLE).ok()
}

#[test]
fn the_constructor_runs_before_main_and_only_when_wanted() {
    match role().as_deref() {
        None => {
            let name = "the_constructor_runs_before_main_and_only_when_wanted";
            assert_eq!(TRICK.outcome(), None);
            let said = alone(&[], name, "constructor");
            assert!(said.contains("constructor ran"), "{said}");
        }
        Some(_) => {
            match TRICK.outcome().expect("the condition was true") {
                TrickOutcome::Made { address } => {
                    assert!(address < TRICK_GUARD + proc_memory::page_size_bytes() as usize);
                    assert_eq!(BreakGrowth::probe(1 << 20).unwrap(), BreakGrowth::Refused);
                }
                // Linux 6.9 and newer may randomise the break to where the guard is false.
                TrickOutcome::NotMade { program_break } => assert!(program_break >= TRICK_GUARD),
                failed @ TrickOutcome::Failed { .. } => panic!("{failed}"),
            }
            println!("constructor ran");
        }
    }
}

#[test]
fn the_page_is_readable_and_stays() {
    if role().is_none() {
        alone(&[], "the_page_is_readable_and_stays", "trick");
        return;
    }
    // SAFETY: the process runs this one test; its other thread waits for it and doesn't allocate.
    match unsafe { limit_data_segment() } {
        TrickOutcome::Made { address } => {
            let page = std::ptr::with_exposed_provenance::<u8>(address);
            // SAFETY: the page has just been mapped PROT_READ, and fresh pages hold zeros.
            assert_eq!(unsafe { page.read_volatile() }, 0);
            assert_eq!(BreakGrowth::probe(1 << 20).unwrap(), BreakGrowth::Refused);
        }
        TrickOutcome::NotMade { program_break } => assert!(program_break >= TRICK_GUARD),
        failed @ TrickOutcome::Failed { .. } => panic!("{failed}"),
    }
}

/// Started through the loader, a program's break follows the loader's own data, far above 1 GiB.
#[test]
fn above_the_guard_no_hole_is_made() {
    let name = "above_the_guard_no_hole_is_made";
    if role().is_none() {
        let Some(loader) = loader() else {
            // Past the test runner, which hides what a passing test says.
            let mut stderr = std::io::stderr();
            writeln!(stderr, "skipped: no dynamic loader found in /proc/self/maps").unwrap();
            return;
        };
        let said = alone(&[&loader], name, "above");
        assert!(said.contains("no hole made"), "{said}");
        return;
    }
    assert!(program_break() >= TRICK_GUARD);
    // SAFETY: the process runs this one test; its other thread waits for it and doesn't allocate.
    let outcome = unsafe { limit_data_segment() };
    assert!(!outcome.is_made());
    assert_eq!(BreakGrowth::probe(1 << 20).unwrap(), BreakGrowth::Granted);
    println!("{outcome}");
}

fn loader() -> Option<String> {
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
    let line = maps.lines().find(|line| line.contains("/ld-"))?;
    line.split_whitespace().last().map(str::to_owned)
}
