//! `-o FILE`, also where others may write; and `-`.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, lchown, symlink};
use std::path::Path;
use std::process::{Command, Stdio};

use suite::waiting::eventually;

use crate::common::{brkhole, installed, output, skipped};

/// Who owns nothing.
const NOBODY: u32 = 65534;

/// Whether the kernel follows other users' links in directories that all may write to.
fn links_are_protected() -> bool {
    let setting = fs::read_to_string("/proc/sys/fs/protected_symlinks");
    setting.is_ok_and(|setting| setting.trim() != "0")
}

/// Writes by a link of nobody's to a file that only root may read, with each command.
#[test]
fn another_users_link_does_not_open_a_door() {
    if fs::metadata("/proc/self").unwrap().uid() != 0 {
        skipped("only root can make another user's link");
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let victim = directory.path().join("victim");
    let all_may = directory.path().join("all-may");
    fs::create_dir(&all_may).unwrap();
    fs::set_permissions(&all_may, Permissions::from_mode(0o1777)).unwrap();
    let link = all_may.join("out");
    symlink(&victim, &link).unwrap();
    lchown(&link, Some(NOBODY), Some(NOBODY)).unwrap();
    let log = directory.path().join("log");
    fs::write(&log, "brk(NULL) = 0x55d000000000\n").unwrap();
    let own = std::process::id().to_string();
    let commands: [(&str, &[&str]); 6] = [
        ("-o", &["inspect", &own, "--format", "json"]),
        ("-o", &["inspect", &own, "--format", "openmetrics"]),
        ("-o", &["explain", log.to_str().unwrap()]),
        ("-o", &["trace", "--", "true"]),
        ("--html", &["inspect", &own]),
        ("--html", &["trace", "--", "true"]),
    ];
    for (flag, command) in commands {
        fs::write(&victim, "secret").unwrap();
        fs::set_permissions(&victim, Permissions::from_mode(0o600)).unwrap();
        let inode = fs::metadata(&victim).unwrap().ino();
        let (first, rest) = command.split_first().unwrap();
        let arguments = [&[*first, flag, link.to_str().unwrap()], rest].concat();
        let done = output(&arguments);
        let after = fs::metadata(&victim).unwrap();
        assert_eq!((after.mode() & 0o777, after.uid()), (0o600, 0), "{command:?}");
        assert_eq!(after.ino(), inode, "{command:?}");
        assert!(link.is_symlink(), "{command:?}");
        assert_eq!(done.status.success(), !links_are_protected(), "{done:?}");
        if links_are_protected() {
            assert_eq!(fs::read(&victim).unwrap(), b"secret", "{command:?}");
            let said = String::from_utf8_lossy(&done.stderr);
            assert!(said.contains(link.to_str().unwrap()), "{said}");
        }
    }
}

/// A file of somebody else's stays theirs.
#[test]
fn the_owner_of_a_file_stays() {
    if fs::metadata("/proc/self").unwrap().uid() != 0 {
        skipped("only root can write another user's file");
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("metrics.prom");
    fs::write(&file, "").unwrap();
    fs::set_permissions(&file, Permissions::from_mode(0o640)).unwrap();
    std::os::unix::fs::chown(&file, Some(NOBODY), Some(NOBODY)).unwrap();
    let own = std::process::id().to_string();
    let path: &Path = &file;
    let arguments = ["inspect", &own, "--format", "openmetrics", "-o"];
    let done = output(&[&arguments[..], &[path.to_str().unwrap()]].concat());
    assert!(done.status.success(), "{done:?}");
    let after = fs::metadata(path).unwrap();
    let (mode, owner) = (after.mode() & 0o777, (after.uid(), after.gid()));
    assert_eq!((mode, owner), (0o640, (NOBODY, NOBODY)));
    assert!(fs::read_to_string(path).unwrap().contains("# EOF"));
}

/// No file of that name is made, and what is there is what a file would hold.
#[test]
fn a_dash_is_standard_output() {
    let directory = tempfile::tempdir().unwrap();
    let log = directory.path().join("log");
    let text = "1 1.0 brk(NULL) = 0x55d000000000\n1 1.1 brk(0x55d000021000) = 0x55d000021000\n";
    fs::write(&log, text).unwrap();
    let log = log.to_str().unwrap();
    let own = std::process::id().to_string();
    let run = |arguments: &[&str]| {
        let mut command = brkhole(arguments);
        command.current_dir(directory.path()).output().unwrap()
    };
    let starts = [
        (&["explain", log, "--format", "json", "-o", "-"][..], "{"),
        (&["explain", log, "--map", "-", "-o", "/dev/null"], "<svg"),
        (&["inspect", &own, "--html", "-", "-o", "/dev/null"], "<!doctype html>"),
        (&["trace", "--folded", "-", "-o", "/dev/null", "true"], "ld-linux"),
        (&["inspect", &own, "-o", "-", "--format", "csv"], "unix_seconds,"),
        (&["trim", "--dry-run", &own, "-o", "-", "--format", "csv"], "pid,"),
    ];
    for (arguments, start) in starts {
        let done = run(arguments);
        let text = String::from_utf8_lossy(&done.stdout);
        assert!(text.starts_with(start), "{arguments:?}: {done:?}");
    }
    for both in [
        &["explain", log, "--map", "-"][..],
        &["explain", log, "--map", "-", "--chart", "-", "-o", "/dev/null"],
        &["trace", "--flamegraph", "-", "-o", "-", "true"],
        &["compare", "--chart", "-", "true"],
        &["inspect", &own, "--html", "-"],
    ] {
        let done = run(both);
        let said = String::from_utf8_lossy(&done.stderr);
        assert_eq!(done.status.code(), Some(2), "{both:?}: {said}");
        assert!(said.contains("only one thing can be written to standard output"), "{said}");
    }
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
}

/// Whoever reads from it gets all of it, and nobody waits for a reader who isn't there.
#[test]
fn a_fifo_is_opened_once() {
    let directory = tempfile::tempdir().unwrap();
    let fifo = directory.path().join("fifo");
    nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).unwrap();
    let path = fifo.to_str().unwrap();
    let alone = output(&["trace", "-o", path, "--", "true"]);
    let said = String::from_utf8_lossy(&alone.stderr);
    assert!(!alone.status.success() && said.contains("nobody reads from this FIFO"), "{said}");
    let reader = std::thread::spawn({
        let fifo = fifo.clone();
        move || fs::read_to_string(fifo).unwrap()
    });
    // Until it is there.
    eventually("it is written to", || {
        output(&["trace", "-o", path, "--", "true"]).status.success()
    });
    let read = reader.join().unwrap();
    assert!(read.contains("true grew by") && read.contains("observer"), "{read}");
}

#[test]
fn completions_that_cannot_be_written_are_an_error() {
    let full = fs::File::create("/dev/full").unwrap();
    let done = brkhole(&["completions", "bash"]).stdout(full).output().unwrap();
    assert_eq!(done.status.code(), Some(1));
    let said = String::from_utf8_lossy(&done.stderr);
    assert!(said.contains("can't write to standard output"), "{said}");
}

/// What a report says on a terminal of 60 columns, with these variables.
fn on_a_terminal(variables: &[(&str, &str)]) -> String {
    let program = env!("CARGO_BIN_EXE_brkhole");
    let log = "../strace-log/tests/data/seed.txt";
    let typed = format!("stty rows 24 cols 60; {program} explain {log} 2>/dev/null");
    let mut script = Command::new("script");
    script.args(["-qec", &typed, "/dev/null"]);
    // With `CI` set, anstream colours a dumb terminal, too.
    for variable in ["NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE", "CI"] {
        script.env_remove(variable);
    }
    script.env("TERM", "xterm").envs(variables.iter().copied());
    let output = script.stdin(Stdio::null()).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn a_terminal_has_its_width_and_colours_unless_somebody_objects() {
    if !installed("script") {
        return;
    }
    let text = on_a_terminal(&[]);
    assert!(text.contains("\n\u{1b}[1m\u{1b}[33mwarning\u{1b}[0m: A brk"), "{text}");
    let widest = |text: &str| text.lines().map(|line| line.trim_end().chars().count()).max();
    for variable in [("NO_COLOR", "1"), ("TERM", "dumb")] {
        let text = on_a_terminal(&[variable]);
        assert!(text.contains("\nwarning: A brk") && !text.contains('\u{1b}'), "{text}");
        // A table's row is as wide as it is.
        assert!((50..70).contains(&widest(&text).unwrap()), "{text}");
    }
    let piped = output(&["explain", "../strace-log/tests/data/seed.txt"]);
    let text = String::from_utf8(piped.stdout).unwrap();
    assert!(text.contains("\nwarning: A brk") && !text.contains('\u{1b}'), "{text}");
    assert!((71..=80).contains(&widest(&text).unwrap()), "{text}");
}

/// What is read isn't written over, and of two results in one place one would be lost.
#[test]
fn each_result_has_a_place_of_its_own() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
    let (log, page, link) = (path("log"), path("page.html"), path("link"));
    let written = "brk(NULL) = 0x5000\nbrk(0x6000) = 0x6000\n";
    std::fs::write(&log, written).unwrap();
    std::os::unix::fs::symlink(&log, &link).unwrap();
    let beside = format!("{}/../{}/page.html", directory.path().display(), {
        directory.path().file_name().unwrap().to_str().unwrap()
    });
    for (arguments, complaint) in [
        (["explain", &log, "-o", &link], "is read, and would be written over"),
        (["explain", &log, "--html", &log], "is read, and would be written over"),
    ] {
        refused(&arguments, complaint);
    }
    refused(&["explain", &log, "-o", &page, "--html", &beside], "only one thing can be written to");
    refused(
        &["trace", "-o", &page, "--html", &page, "--", "true"],
        "only one thing can be written",
    );
    assert_eq!(std::fs::read_to_string(&log).unwrap(), written);
    assert!(!std::fs::exists(&page).unwrap());
    let nowhere = ["explain", &log, "-o", "/dev/null", "--html", "/dev/null"];
    assert!(output(&nowhere).status.success());
}

fn refused(arguments: &[&str], complaint: &str) {
    let output = output(arguments);
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{told}");
    assert!(told.contains(complaint), "{told}");
}
