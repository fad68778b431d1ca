//! Every bundle in every way of loading, with and without the library.

use std::os::unix::fs::symlink;
use std::path::Path;

use super::files::Files;
use super::generated::Blocks;
use super::{Dice, data, data_path};
use crate::common::{MODES, Preload};
use fuzz_bundles::{cases, damaged};

/// What the program is linked with.
pub const LIBRARIES: [&str; 3] = ["-Wl,--no-as-needed", "-lssl", "-lcrypto"];

const SEED: u64 = 0x5eed_b0b5;

/// How many of them a program is given at once.
const BATCH: usize = 200;

/// How many bundles of each kind.
fn bundles() -> usize {
    suite::rounds(200, 1_000) as usize
}

/// Compares, with files that are old enough to be remembered; gives how many loads were accepted.
fn compare(files: &Files) -> usize {
    let without = files.verdicts(Preload::Without);
    files.settle();
    for mode in MODES {
        let with = files.verdicts(mode);
        files.assert_same(&with.ran, &without.ran, mode);
        let counts = with.ran.only_counts();
        assert!(
            counts.shared as usize * 3 > with.accepted,
            "{mode:?}: of {} accepted loads too few came out of the cache: {counts:?}",
            with.accepted
        );
    }
    without.accepted
}

#[test]
fn known_cases() {
    let mut files = Files::new();
    for case in cases::all() {
        files.add(case.name.to_owned(), &case.bytes);
    }
    let accepted = compare(&files);
    assert!(accepted > files.count(), "{accepted} of {}", files.count());
}

#[test]
fn what_is_not_a_bundle() {
    let mut files = Files::new();
    let alpha = data_path("alpha.pem");
    let link = files.path("link");
    symlink(&alpha, &link).expect("our own directory");
    let nowhere = files.path("nowhere");
    symlink("missing", &nowhere).expect("our own directory");
    for (description, path) in [
        ("a link to a bundle", link.as_path()),
        ("a link to nothing", nowhere.as_path()),
        ("nothing", files.path("missing").as_path()),
        ("a name that is too long", Path::new(&"n".repeat(300))),
        ("a path through a file", alpha.join("below").as_path()),
        ("no name", Path::new("")),
        ("a directory", Path::new("/")),
        ("an empty device", Path::new("/dev/null")),
        ("a file of no length with contents", Path::new("/proc/self/status")),
        ("the program itself", Path::new("/proc/self/exe")),
    ] {
        files.add_path(description.to_owned(), path);
    }
    compare(&files);
}

#[test]
fn damaged_bundles() {
    let all: Vec<_> = damaged::bundles(bundles()).collect();
    for batch in all.chunks(BATCH) {
        let mut files = Files::new();
        for bundle in batch {
            files.add(bundle.name.clone(), &bundle.bytes);
        }
        compare(&files);
    }
}

#[test]
fn generated_bundles() {
    let blocks = Blocks::gathered();
    let mut dice = Dice(SEED);
    let all: Vec<usize> = (0..bundles()).collect();
    for batch in all.chunks(BATCH) {
        let mut files = Files::new();
        for number in batch {
            let name = format!("generated bundle {number} of seed {SEED:#x}");
            files.add(name, &blocks.bundle(&mut dice));
        }
        compare(&files);
    }
}

/// Files that have just been written take another way through the library.
#[test]
fn bundles_of_this_moment() {
    for mode in MODES {
        let mut files = Files::new();
        for case in cases::all() {
            files.add(case.name.to_owned(), &case.bytes);
        }
        files.add("three".to_owned(), &["alpha.pem", "beta.pem", "gamma.pem"].map(data).concat());
        let with = files.verdicts(mode);
        let without = files.verdicts(Preload::Without);
        files.assert_same(&with.ran, &without.ran, mode);
    }
}
