//! The unit's capabilities are enough, and without them it isn't.

use std::io::ErrorKind;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::process::Command;

use crate::common::{compiled, installed, skipped};
use crate::fleet::member::{Ended, ready};
use crate::fleet::samples::{Sample, samples, value};

const UNIT: &str = include_str!("../../fleet/brkhole-inspect.service");
const TRIM_UNIT: &str = include_str!("../../fleet/brkhole-trim.service");

/// Somebody who owns nothing.
const NOBODY: u32 = 65534;

/// A unit's, as setpriv names them.
fn of_unit(unit: &str) -> String {
    let mut lines = unit.lines();
    let names = lines.find_map(|line| line.strip_prefix("CapabilityBoundingSet="));
    let names = names.expect("the unit bounds them").split(' ');
    names
        .map(|name| name.strip_prefix("CAP_").expect("a capability"))
        .map(|name| format!(",+{}", name.to_lowercase()))
        .collect()
}

/// The command, run by root with these capabilities.
fn with(capabilities: &str) -> Command {
    let mut command = Command::new("setpriv");
    command
        .arg(format!("--bounding-set=-all{capabilities}"))
        .args(["--inh-caps=-all", "--no-new-privs"])
        .arg(env!("CARGO_BIN_EXE_brkhole"));
    command
}

/// What root with these capabilities finds of all processes, or of some.
fn found_with(capabilities: &str, which: &[&str]) -> Vec<Sample> {
    let output = with(capabilities)
        .args(["inspect", "--format", "openmetrics", "--top", "1000000"])
        .args(which)
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    samples(&String::from_utf8(output.stdout).unwrap())
}

/// How many processes not even root may read, as where process 1 has more rights than all others.
fn closed_to_root() -> f64 {
    let entries = std::fs::read_dir("/proc").unwrap();
    let denied = entries.filter(|entry| {
        let maps = entry.as_ref().unwrap().path().join("maps");
        std::fs::File::open(maps).is_err_and(|error| error.kind() == ErrorKind::PermissionDenied)
    });
    denied.count() as f64
}

/// A process of somebody else's.
fn somebody_elses(name: &str) -> (tempfile::TempDir, Ended) {
    let directory = tempfile::tempdir().unwrap();
    let everybody = PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(directory.path(), everybody).unwrap();
    let program = directory.path().join("member");
    // Not by writing it here: another thread may fork meanwhile, and as long as its child has the
    // file open for writing, nobody can execute it.
    let status =
        Command::new("install").arg("-m755").args([&compiled("fleet_member"), &program]).status();
    assert!(status.unwrap().success());
    let mut command = Command::new(&program);
    command.args(["fat", name]).uid(NOBODY).gid(NOBODY);
    (directory, ready(command))
}

fn can_be_another() -> bool {
    if std::fs::metadata("/proc/self").unwrap().uid() != 0 {
        skipped("only root can give capabilities up and become another user");
        return false;
    }
    installed("setpriv")
}

#[test]
fn those_of_the_unit_are_enough_to_read_everybody() {
    if !can_be_another() {
        return;
    }
    let name = format!("else-{}", std::process::id());
    let _member = somebody_elses(&name);

    let not_even_root = closed_to_root();
    let found = found_with(&of_unit(UNIT), &["--all"]);
    let denied = |found: &[Sample]| {
        let metric = "brkhole_unreadable_processes";
        value(found, metric, &[("reason", "denied")])
    };
    assert!(denied(&found) <= not_even_root.max(closed_to_root()));
    let of_member = |metric| value(&found, metric, &[("comm", &name)]);
    assert_eq!(of_member("brkhole_malloc_known_processes"), 1.0);
    assert!(of_member("brkhole_malloc_returnable_bytes") > 50e6);

    // With none it can't be read.
    let found = found_with("", &["--comm", &name]);
    assert_eq!(denied(&found), 1.0);
    let is_member = |sample: &Sample| sample.labels.get("comm") == Some(&name);
    assert!(!found.iter().any(is_member));
}

/// Each of them is needed.
#[test]
fn those_of_the_service_are_enough_to_trim_everybody() {
    if !can_be_another() {
        return;
    }
    let all = of_unit(TRIM_UNIT);
    let name = format!("trim-{}", std::process::id());
    let (_directory, member) = somebody_elses(&name);
    let trimmed = |capabilities: &str| {
        let pid = member.0.id().to_string();
        let output = with(capabilities).args(["trim", &pid]).output().unwrap();
        (output.status.success(), output)
    };
    for one in all.split(',').filter(|one| !one.is_empty()) {
        let others = all.replace(&format!(",{one}"), "");
        let (is_trimmed, output) = trimmed(&others);
        assert!(!is_trimmed, "without {one}: {output:?}");
    }
    let (is_trimmed, output) = trimmed(&all);
    assert!(is_trimmed, "{output:?}");
}
