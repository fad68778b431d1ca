//! Threads that load, change and free, each sure of what its own contexts hold.

use std::process::Command;

use suite::rounds;

use super::bundles::{BUNDLES, Bundles, program};
use crate::common::{MODES, Preload, Ran};

const THREADS: u64 = 32;

#[test]
fn each_thread_finds_what_it_loaded_and_nothing_else() {
    let Some(bundles) = Bundles::new() else {
        return;
    };
    let churned = |rounds: u64, way| {
        let mut command = Command::new(program("churn"));
        bundles.churn(&mut command, THREADS, rounds, BUNDLES);
        let ran = Ran::to_end(&mut command, way);
        let right = format!("{} rounds, 0 wrong\n", THREADS * rounds);
        assert_eq!(ran.stdout, right, "{way:?}: {ran:?}");
        ran
    };
    // What the program takes for right is right without the library.
    churned(2, Preload::Without);
    for mode in MODES {
        let rounds = rounds(25, 100);
        let ran = churned(rounds, mode);
        let counts = ran.only_counts();
        assert!(counts.loads >= THREADS * rounds, "{mode:?}: {counts:?}");
        assert!(counts.shared > counts.loads / 2, "{mode:?}: {counts:?}");
        assert!(counts.parses >= BUNDLES as u64, "{mode:?}: {counts:?}");
    }
}
