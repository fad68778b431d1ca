//! What it refuses, and what it says then.

use crate::common::{bundle, run, skipped, stderr};
use crate::oom::harness::{OOM, permitted};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

/// Who owns nothing.
const NOBODY: u32 = 65534;

#[test]
fn without_permission_it_says_where_why_and_what_helps() {
    if fs_uid() != 0 {
        skipped("only root can become another user");
        return;
    }
    if bundle().is_none() {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let everybody = PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(directory.path(), everybody).unwrap();
    let program = directory.path().join("oom");
    let installed =
        Command::new("install").args([Path::new("-m755"), Path::new(OOM), &program]).status();
    assert!(installed.unwrap().success());
    let as_nobody = |arguments: &[&str]| {
        Command::new(&program)
            .args(arguments)
            .uid(NOBODY)
            .gid(NOBODY)
            .current_dir("/")
            .output()
            .unwrap()
    };
    let output = as_nobody(&["--budget", "32MiB", "--repeats", "1"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(output.stdout.is_empty());
    let said = stderr(&output);
    for word in [
        "no memory cgroup can be made here",
        "/sys/fs/cgroup",
        "sudo ",
        "--budget 32MiB --repeats 1 --limit rlimit",
        "nothing is killed",
    ] {
        assert!(said.contains(word), "{word}: {said}");
    }

    // What it offers needs no permission indeed.
    let small = ["--budget", "32MiB", "--locations", "3", "--repeats", "1"];
    let output = as_nobody(&[&small[..], &["--limit", "rlimit"]].concat());
    assert!(output.status.success(), "{}", stderr(&output));
}

fn fs_uid() -> u32 {
    std::fs::metadata("/proc/self").unwrap().uid()
}

#[test]
fn a_budget_that_the_machine_has_not_got() {
    if !permitted() {
        return;
    }
    let output = run(OOM, &["--budget", "1000000GiB"]);
    assert_eq!(output.status.code(), Some(1));
    let said = stderr(&output);
    assert!(said.contains("Give a smaller --budget"), "{said}");
}

#[test]
fn bad_usage_names_what_was_expected() {
    for (arguments, expected) in [
        (["--budget", "256MB"], "256MiB"),
        (["--budget", "1MiB"], "16MiB"),
        (["--locations", "0"], "1..=1000000"),
        (["--limit", "container"], "rlimit"),
    ] {
        let output = run(OOM, &arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        let said = stderr(&output);
        assert!(said.contains(expected), "{expected}: {said}");
    }
}

#[test]
fn a_bundle_that_is_none() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("empty.pem");
    std::fs::write(&path, "").unwrap();
    let output = run(OOM, &["--bundle", path.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("empty.pem"), "{}", stderr(&output));
}
