//! Children begun while threads load. Each must find the whole bundle, and none may hang.

use std::process::Command;

use suite::rounds;

use super::bundles::{Bundles, program};
use crate::common::{MODES, Ran};

const THREADS: u64 = 4;
/// The common certificate and the bundle's own.
const CERTIFICATES: u64 = 3;

/// Runs `forking.c`. Without the library this isn't done: some children hang then, because a parse
/// takes locks of OpenSSL's own, and a fork copies them as they are.
fn all_children_are_right(how: &str, children: u64, bundles: usize) {
    let Some(made) = Bundles::new() else {
        return;
    };
    for mode in MODES {
        let mut command = Command::new(program("forking"));
        command
            .arg(how)
            .args([THREADS, children].map(|number| number.to_string()))
            .args(&made.paths[..bundles]);
        let ran = Ran::to_end(&mut command, mode);
        let right = format!(
            "{CERTIFICATES} certificates; of {children} children {children} right, 0 hung, \
             0 wrong\n"
        );
        assert_eq!(ran.stdout, right, "{how}, {mode:?}: {ran:?}");
        let parent = ran.counts.iter().max_by_key(|counts| counts.loads);
        let counts = parent.expect("the parent loads all the time");
        assert!(counts.shared > 0, "{how}, {mode:?}: {counts:?}");
    }
}

/// More bundles than are remembered: there is always a thread in the middle of a parse.
#[test]
fn forked() {
    all_children_are_right("fork", rounds(75, 300), 20);
}

/// Nothing tells the library of these, and its lock may be copied as it is. Nobody parses
/// meanwhile, since OpenSSL's locks would be copied as they are, too.
#[test]
fn copied_untold() {
    all_children_are_right("_Fork", rounds(5, 15), 4);
    all_children_are_right("clone", rounds(5, 15), 4);
}

#[test]
fn children_that_run_another_program() {
    for how in ["vfork", "spawn", "system"] {
        all_children_are_right(how, rounds(15, 50), 20);
    }
}
