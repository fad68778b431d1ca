//! Every test program of this repository runs in a suite.

use suite as _;

use std::path::{Path, PathBuf};

const HAS_IT: &str = "use suite as _;";

fn entries(directory: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(directory).into_iter().flatten();
    entries.map(|entry| entry.unwrap().path()).collect()
}

fn read(file: &Path) -> String {
    std::fs::read_to_string(file).unwrap_or_else(|error| panic!("{file:?}: {error}"))
}

/// Whether there is a test in a file, or somewhere in a directory.
fn has_tests(path: &Path) -> bool {
    if path.is_dir() {
        return entries(path).iter().any(|path| has_tests(path));
    }
    path.extension().is_some_and(|extension| extension == "rs") && read(path).contains("#[test]")
}

#[test]
fn every_test_program_has_it() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let packages = [entries(root), entries(&root.join("crates"))].concat();
    let mut programs = 0;
    for package in packages
        .iter()
        .filter(|place| place.join("Cargo.toml").exists())
    {
        let tests = entries(&package.join("tests")).into_iter();
        let tests = tests.map(|path| {
            if path.is_dir() {
                path.join("main.rs")
            } else {
                path
            }
        });
        let own = ["lib.rs", "main.rs"].map(|name| package.join("src").join(name));
        let own = own.into_iter().filter(|_| has_tests(&package.join("src")));
        for root in tests.chain(own).filter(|path| path.is_file()) {
            assert!(read(&root).contains(HAS_IT), "{}: {HAS_IT}", root.display());
            programs += 1;
        }
    }
    assert!(programs > 50, "{programs}");
}
