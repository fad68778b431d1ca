//! A process that becomes another program after it was looked at is looked at anew.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use crate::common::{compiled, installed, skipped};
use crate::trim::harness::{Target, is_root, reports_of, trimming, wait_for_hold};

/// Trims a program that is inside malloc until it gets a line and then executes `next`.
fn trimmed_over_an_exec(command: &mut Command, next: &Path) {
    command.args(["single", "same"]).arg(next);
    let mut target = Target::of(command, "stuck");
    let child = trimming(&target, &["--format", "json"]);
    // It was looked at, and is inside malloc each time it is held.
    wait_for_hold(target.pid());
    target.nudge();
    target.says("ready");
    let output = child.wait_with_output().unwrap();
    let mut reports = reports_of(&output);
    let report = reports.remove(0);
    let reasons = report["waited_for"].to_string();
    assert!(reasons.contains("inside malloc"), "{report:#}");
    assert!(reasons.contains("another program"), "{report:#}");
    // All that is told is the second one's, in whatever state it was met.
    assert_eq!(report["outcome"], "trimmed", "{report:#}");
    assert_eq!(report["comm"], "brkhole-trim_ke", "{report:#}");
    target.is_well();
}

/// Without randomised addresses the libraries of both lie at the same ones.
#[test]
fn the_same_addresses() {
    if !installed("setarch") {
        return;
    }
    let mut command = Command::new("setarch");
    command.arg("-R").arg(compiled("trim_stuck"));
    trimmed_over_an_exec(&mut command, &compiled("trim_keeps"));
}

/// Somebody executes a program with root's rights while his own is being looked at.
#[test]
fn more_rights() {
    if !is_root() {
        return skipped("only root can give a program more rights");
    }
    let directory = tempfile::tempdir().unwrap();
    let [first, second] = [("trim_stuck", 0o755), ("trim_keeps", 0o4755)].map(|(name, mode)| {
        let program = compiled(name);
        let copy = directory.path().join(program.file_name().unwrap());
        fs::copy(program, &copy).unwrap();
        fs::set_permissions(&copy, Permissions::from_mode(mode)).unwrap();
        copy
    });
    fs::set_permissions(directory.path(), Permissions::from_mode(0o755)).unwrap();
    let nobody = |program: &Path| {
        let mut command = Command::new(program);
        command.current_dir("/").uid(65534).gid(65534);
        command
    };
    let reachable = nobody(Path::new("test")).arg("-x").arg(&first).status();
    if !reachable.is_ok_and(|status| status.success()) {
        return skipped("nobody may not reach the temporary files");
    }
    trimmed_over_an_exec(&mut nobody(&first), &second);
}
