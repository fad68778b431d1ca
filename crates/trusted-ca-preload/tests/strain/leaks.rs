//! What was loaded and freed is gone, and so is what was remembered of files that were replaced.

use std::process::Command;

use super::bundles::{BUNDLES, Bundles, program, sample};
use crate::common::{MODES, Preload, Ran, installed};

/// What valgrind exits with when something is lost.
const LOST: i32 = 97;
/// Of 16 that the library keeps, one has to go.
const MORE_THAN_ARE_KEPT: usize = 17;
/// Far less than one certificate is kept of thousands of loads.
const NOTHING_BYTES: i64 = 16 * 1024;

fn cycles(command: &mut Command, bundles: &Bundles, rounds: u64, count: usize) {
    command
        .arg(rounds.to_string())
        .arg(sample("gamma.pem"))
        .arg(bundles.replaced())
        .args(&bundles.paths[..count]);
}

#[test]
fn the_heap_does_not_grow() {
    let Some(bundles) = Bundles::new() else {
        return;
    };
    for mode in MODES {
        let mut command = Command::new(program("cycles"));
        cycles(&mut command, &bundles, 40, BUNDLES);
        let ran = Ran::to_end(&mut command, mode);
        assert!(ran.status.success(), "{mode:?}: {ran:?}");
        let grown = ran.stdout.strip_prefix("grown by ");
        let grown = grown.and_then(|rest| rest.strip_suffix(" bytes\n"));
        let grown: i64 = grown.and_then(|bytes| bytes.parse().ok()).expect("a number");
        assert!(grown < NOTHING_BYTES, "{mode:?}: {grown} bytes");
        let counts = ran.only_counts();
        assert!(counts.shared > counts.loads / 2, "{mode:?}: {counts:?}");
        assert!(counts.parses > bundles.paths.len() as u64, "{mode:?}: {counts:?}");
    }
}

#[test]
fn valgrind_finds_nothing_lost() {
    if !installed("valgrind") {
        return;
    }
    let Some(bundles) = Bundles::new() else {
        return;
    };
    // OpenSSL itself loses nothing here, so nothing may be lost with the library. (Each load is a
    // parse there, and two bundles are enough to tell.)
    for (way, count) in [
        (Preload::Without, 2),
        (Preload::Private, MORE_THAN_ARE_KEPT),
        (Preload::SharedStore, MORE_THAN_ARE_KEPT),
    ] {
        let mut command = Command::new("valgrind");
        command
            .args(["--quiet", "--leak-check=full", "--num-callers=30"])
            .arg("--errors-for-leak-kinds=definite,indirect")
            .arg("--show-leak-kinds=definite,indirect")
            .arg(format!("--error-exitcode={LOST}"))
            .arg(program("cycles"));
        cycles(&mut command, &bundles, 1, count);
        let ran = Ran::to_end(&mut command, way);
        assert!(ran.status.success(), "{way:?}: {}\n{}", ran.status, ran.stderr);
    }
}
