//! Allocators that are not glibc's, and glibc in unusual places.

use std::path::Path;
use std::process::Command;

use ptmalloc::{Allocator, Unknown};

use super::target::{KIB, Target};
use crate::compiled;
use suite::installed;
use suite::skipped;

const LIBRARIES: &str = "/usr/lib";

/// A library that the loader knows by this name.
fn library(name: &str) -> Option<String> {
    let triplet = format!("{}-linux-gnu", std::env::consts::ARCH);
    let path = format!("{LIBRARIES}/{triplet}/{name}");
    if Path::new(&path).exists() {
        return Some(path);
    }
    skipped(format_args!("{path} is not installed"));
    None
}

#[test]
fn preloaded_ones_are_named() {
    for (name, allocator) in [
        ("libjemalloc.so.2", Allocator::Jemalloc),
        ("libtcmalloc_minimal.so.4", Allocator::Tcmalloc),
        ("libmimalloc.so.2.0", Allocator::Mimalloc),
    ] {
        let Some(path) = library(name) else { continue };
        let mut target = Target::of(Command::new(super::target::quiet()).env("LD_PRELOAD", path));
        target.told("c 2000 20 2000 2");
        let found = target.examine();
        assert_eq!(found.allocator, Some(allocator.clone()), "{found:?}");
        assert_eq!(found.state, Err(Unknown::Other(allocator)));
        assert!(
            matches!(found.others[..], [Allocator::Glibc { is_static: false, .. }]),
            "{found:?}"
        );
    }
}

#[test]
fn a_static_program_has_glibc_in_itself() {
    let program = compiled("programs/quiet.c", "malloc-quiet-static", &["-O1", "-static"]);
    let mut target = Target::of(&mut Command::new(&program));
    target.told("c 20000 20 20000 50");
    let found = target.examine();
    let glibc = Allocator::Glibc { version: None, is_static: true };
    assert_eq!(found.allocator, Some(glibc));
    assert_eq!(found.library.unwrap(), program.canonicalize().unwrap());
    let state = found.state.unwrap();
    let before = target.rss_bytes();
    target.tell("T");
    let real = before - target.rss_bytes();
    let difference = state.returnable_bytes.unwrap().abs_diff(real);
    assert!(difference <= 2000 * KIB, "{difference}");
}

#[test]
fn musl_is_named() {
    if !installed("musl-gcc") {
        return;
    }
    let source = tempfile::tempdir().unwrap();
    let (program, code) = (source.path().join("waits"), source.path().join("waits.c"));
    std::fs::write(&code, WAITS).unwrap();
    let built = Command::new("musl-gcc").arg("-o").args([&program, &code]).status();
    assert!(built.unwrap().success());
    let mut target = Target::of(&mut Command::new(program));
    assert_eq!(target.hear(), "ready");
    let found = target.examine();
    assert_eq!(found.allocator, Some(Allocator::Musl), "{found:?}");
    assert_eq!(found.state, Err(Unknown::Other(Allocator::Musl)));
}

const WAITS: &str = "
#include <stdlib.h>
#include <unistd.h>
int main(void) { void *volatile p = malloc(3000); write(1, \"ready\\n\", 6); pause(); free(p); }
";

#[test]
fn go_is_named() {
    const PROGRAM: &str = "prometheus-node-exporter";
    if !installed(PROGRAM) {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let socket = directory.path().join("none");
    // It serves a socket that only this test knows, with nothing to collect.
    let mut target = Target::of(
        Command::new(PROGRAM)
            .arg("--collector.disable-defaults")
            .arg("--web.listen-address=127.0.0.1:0")
            .env("TMPDIR", &socket)
            .stderr(std::process::Stdio::null()),
    );
    let found = eventually(&mut target, |found| {
        found.allocator == Some(Allocator::Go) || found.others.contains(&Allocator::Go)
    });
    assert!(found, "{:?}", target.examine());
}

/// Until something is so; a program that just began has no libraries yet.
fn eventually(target: &mut Target, wanted: impl Fn(&ptmalloc::Examination) -> bool) -> bool {
    (0..500).any(|_| {
        std::thread::sleep(std::time::Duration::from_millis(20));
        assert_eq!(target.child.try_wait().unwrap(), None, "it ended");
        wanted(&target.examine())
    })
}

#[test]
fn glibc_states_its_version_and_place() {
    let mut target = Target::start();
    target.told("c 1 100 100 1");
    let found = target.examine();
    let said = Command::new("getconf").arg("GNU_LIBC_VERSION").output();
    let said = String::from_utf8(said.unwrap().stdout).unwrap();
    assert_eq!(found.allocator.unwrap().to_string(), said.trim());
    let library = found.library.unwrap();
    let maps = std::fs::read_to_string(format!("/proc/{}/maps", target.pid())).unwrap();
    let path = library.to_str().unwrap();
    assert!(maps.lines().any(|line| line.ends_with(path)), "{path}");
}

#[test]
fn a_library_that_was_replaced_is_still_understood() {
    let directory = tempfile::tempdir().unwrap();
    let path = {
        let mut target = Target::start();
        target.told("c 1 100 100 1");
        target.examine().library.unwrap()
    };
    let copy = directory.path().join("libc.so.6");
    std::fs::copy(path, &copy).unwrap();
    let mut command = Command::new(super::target::quiet());
    let mut target = Target::of(command.env("LD_LIBRARY_PATH", directory.path()));
    target.told("c 2000 20 2000 2");
    assert_eq!(target.examine().library.unwrap(), copy);
    std::fs::remove_file(&copy).unwrap();
    std::fs::write(&copy, "another one").unwrap();
    let found = target.examine();
    assert!(found.state.is_ok(), "{found:?}");
    if nix::unistd::geteuid().is_root() {
        let Some(Allocator::Glibc { version, .. }) = found.allocator else {
            panic!("{found:?}");
        };
        assert!(version.is_some_and(|version| version.starts_with("2.")));
    }
}
