//! Files that aren't simply where the list of mappings says.

use std::path::Path;
use std::process::Command;

use proc_unwind::Stacks;

use crate::frames::{LARGE_BYTES, from, large_blocks};
use crate::harness::compiled;
use suite::skipped;

fn is_root() -> bool {
    // SAFETY: takes nothing, returns a number.
    unsafe { libc::geteuid() == 0 }
}

#[test]
fn a_stripped_library_has_the_names_that_it_exports() {
    let arguments = ["-O1", "-s", "-shared", "-fPIC", "-fvisibility=hidden"];
    let library = compiled("library", "hidden", &arguments);
    let program = compiled("loads", "plain", &["-O1"]);
    let mut command = Command::new(program);
    let found = large_blocks(command.arg(library), &mut Stacks::new());
    assert_eq!(found.len(), 1);
    let frames = from(&found[0], "malloc (libc.so.6)");
    assert!(frames[1].starts_with("stacks-library-hidden+0x"), "{frames:?}");
    assert_eq!(frames[2..4], ["exported (stacks-library-hidden)", "use"]);
    assert_eq!(found[0].requested_bytes, Some(LARGE_BYTES));
}

/// Opened, it would be waited at for a writer for ever.
#[test]
fn a_fifo_that_a_file_names_is_not_opened() {
    let arguments = ["-O1", "-s", "-shared", "-fPIC", "-fvisibility=hidden", "-Wl,--build-id"];
    let library = compiled("library", "without-its-debug-file", &arguments);
    let directory = tempfile::tempdir().unwrap();
    let (linked, debug) = (directory.path().join("l.so"), directory.path().join("l.debug"));
    std::fs::write(&debug, "").unwrap();
    let link = format!("--add-gnu-debuglink={}", debug.display());
    let linking = Command::new("objcopy").arg(link).args([&library, &linked]).status();
    assert!(linking.unwrap().success());
    std::fs::remove_file(&debug).unwrap();
    let made = Command::new("mkfifo").arg(&debug).status();
    assert!(made.unwrap().success());
    let program = compiled("loads", "plain", &["-O1"]);
    let mut command = Command::new(program);
    let found = large_blocks(command.arg(&linked), &mut Stacks::new());
    assert_eq!(found.len(), 1);
    let frames = from(&found[0], "malloc (libc.so.6)");
    assert_eq!(frames[2..4], ["exported (l.so)", "use"]);
}

/// The two differ in nothing but a name and their build ids.
#[test]
fn a_library_that_took_anothers_place() {
    let arguments = ["-O1", "-shared", "-fPIC", "-Wl,--build-id"];
    let one = compiled("library", "one", &arguments);
    let two = compiled("library", "two", &[&arguments[..], &["-Dhidden=other"]].concat());
    let program = compiled("loads", "plain", &["-O1"]);
    let mut command = Command::new(program);
    let found = large_blocks(command.arg(one).arg(two), &mut Stacks::new());
    assert_eq!(found.len(), 2);
    assert_eq!(from(&found[0], "hidden (stacks-library-one)")[1], "exported (stacks-library-one)");
    assert_eq!(from(&found[1], "other (stacks-library-two)")[1], "exported (stacks-library-two)");
}

/// Only root may open a file that has no name any more.
#[test]
fn a_library_that_was_deleted() {
    if !is_root() {
        return skipped("map_files can be read by root alone");
    }
    let library = compiled("library", "shared", &["-O1", "-shared", "-fPIC"]);
    let program = compiled("loads", "plain", &["-O1"]);
    let directory = tempfile::tempdir().unwrap();
    let copy = directory.path().join("gone.so");
    std::fs::copy(library, &copy).unwrap();
    let mut command = Command::new(program);
    let found = large_blocks(command.arg(&copy).arg("deleted"), &mut Stacks::new());
    assert!(!copy.exists());
    let frames = from(&found[0], "hidden (gone.so)");
    assert_eq!(frames[1..3], ["exported (gone.so)", "use"]);
}

#[test]
fn a_program_that_only_its_own_mount_namespace_has() {
    if !is_root() {
        return skipped("only root may make a mount namespace");
    }
    let program = compiled("deep", "O0", &["-O0"]);
    let directory = tempfile::tempdir().unwrap();
    let inside = directory.path().join("inside");
    let script = "mount -t tmpfs none \"$1\" && cp \"$0\" \"$2\" && exec \"$2\" 3";
    let mut command = Command::new("unshare");
    command.args(["--mount", "sh", "-c", script]);
    command.arg(program).arg(directory.path()).arg(&inside);
    let mut stacks = Stacks::new();
    let mut possible = Command::new("unshare");
    possible.args(["--mount", "mount", "-t", "tmpfs", "none"]);
    if !possible_here(&mut possible, directory.path()) {
        return skipped("this machine doesn't let a mount namespace be made");
    }
    let found = large_blocks(&mut command, &mut stacks);
    assert!(!inside.exists());
    assert_eq!(found.len(), 2);
    assert_eq!(from(&found[0], "allocate_here")[1..4], ["go_down"; 3]);
    assert_eq!(found[0].requested_bytes, Some(LARGE_BYTES));
}

fn possible_here(command: &mut Command, directory: &Path) -> bool {
    let status = command.arg(directory).status();
    status.is_ok_and(|status| status.success())
}

/// What is known of files outlives their processes.
#[test]
fn several_processes_one_after_another() {
    let mut stacks = Stacks::new();
    let program = compiled("deep", "O2", &["-O2", "-fomit-frame-pointer"]);
    for _ in 0..3 {
        let found = large_blocks(Command::new(&program).arg("3"), &mut stacks);
        assert_eq!(from(&found[0], "allocate_here")[1], "go_down");
    }
}

/// A distribution strips programs and ships their symbols apart, by build id.
#[test]
fn symbols_that_are_shipped_apart() {
    let arguments = ["-O2", "-fomit-frame-pointer", "-Wl,--build-id"];
    let whole = compiled("deep", "build-id", &arguments);
    let directory = tempfile::tempdir().unwrap();
    let stripped = directory.path().join("deep");
    let objcopy = |arguments: &[&str], to: &Path| {
        let mut command = Command::new("objcopy");
        let status = command.args(arguments).arg(&whole).arg(to).status();
        status.is_ok_and(|status| status.success())
    };
    if !objcopy(&["--strip-all"], &stripped) {
        return skipped("objcopy (binutils) is needed to strip a program");
    }
    let run = |directories| {
        let mut stacks = Stacks::with_debug_directories(directories);
        large_blocks(Command::new(&stripped).arg("3"), &mut stacks)
    };
    let address = |frames: &[&str]| frames.iter().all(|frame| frame.starts_with("deep+0x"));
    let nameless = &run(Vec::new())[0];
    assert!(address(&from(nameless, "malloc (libc.so.6)")[1..6]), "{nameless:#?}");

    let notes = Command::new("readelf").arg("-n").arg(&whole).output().unwrap();
    let notes = String::from_utf8_lossy(&notes.stdout).into_owned();
    let (_, id) = notes.split_once("Build ID: ").expect("it has a build id");
    let (first, rest) = id.lines().next().unwrap().split_at(2);
    let by_id = directory.path().join(".build-id").join(first);
    std::fs::create_dir_all(&by_id).unwrap();
    let symbols = by_id.join(format!("{rest}.debug"));
    assert!(objcopy(&["--only-keep-debug"], &symbols));
    let named = &run(vec![directory.path().to_owned()])[0];
    assert_eq!(from(named, "allocate_here")[1..5], ["go_down"; 4]);

    // Another build's symbols are not taken for this one's.
    let other = compiled("library", "one", &["-O1", "-shared", "-fPIC", "-Wl,--build-id"]);
    std::fs::copy(other, &symbols).unwrap();
    let nameless = &run(vec![directory.path().to_owned()])[0];
    assert!(address(&from(nameless, "malloc (libc.so.6)")[1..6]), "{nameless:#?}");
}
