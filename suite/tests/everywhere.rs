//! Every test program of this repository runs in a suite.

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

/// Whether one of these lines is in a text.
fn has_line(text: &str, wanted: &[String]) -> bool {
    text.lines().any(|line| wanted.iter().any(|wanted| line == wanted))
}

/// The test programs in a package's `tests`. A file beside a `main.rs` is a module of it, or a
/// program that `Cargo.toml` names: what is neither would never run.
fn of_package(package: &Path) -> Vec<PathBuf> {
    let manifest = read(&package.join("Cargo.toml"));
    let tests = package.join("tests");
    let main = tests.join("main.rs");
    let modules = main.exists().then(|| read(&main));
    let mut programs = Vec::new();
    let of_rust = |path: &PathBuf| path.is_dir() || path.extension().is_some_and(|end| end == "rs");
    for path in entries(&tests).into_iter().filter(of_rust) {
        let name = path.file_stem().unwrap().to_str().unwrap();
        if path.is_dir() {
            programs.push(path.join("main.rs"));
        } else if let Some(modules) = &modules
            && path != main
        {
            let module =
                has_line(modules, &["", "pub "].map(|before| format!("{before}mod {name};")));
            let program = has_line(&manifest, &[format!("name = {name:?}")]);
            assert!(module != program, "{}: a module or a program", path.display());
            if program {
                programs.push(path);
            }
        } else {
            programs.push(path);
        }
    }
    programs
}

#[test]
fn every_test_program_has_it() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let packages = [entries(root), entries(&root.join("crates"))].concat();
    let mut programs = 0;
    for package in packages.iter().filter(|place| place.join("Cargo.toml").exists()) {
        let tests = of_package(package).into_iter();
        let own = ["lib.rs", "main.rs"].map(|name| package.join("src").join(name));
        let own = own.into_iter().filter(|_| has_tests(&package.join("src")));
        for root in tests.chain(own).filter(|path| path.is_file()) {
            assert!(read(&root).contains(HAS_IT), "{}: {HAS_IT}", root.display());
            programs += 1;
        }
    }
    assert!(programs > 20, "{programs}");
}
