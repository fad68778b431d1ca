//! `--dry-run` tells, and touches nothing.

use crate::common::brkhole;
use crate::trim::harness::{Target, figure, reports, tracer, trim};

/// Bytes of anonymous memory, exactly.
fn anonymous_bytes(pid: i32) -> u64 {
    let rollup = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap();
    let line = rollup.lines().find_map(|line| line.strip_prefix("Anonymous:"));
    let kib: u64 = line.unwrap().trim_end_matches("kB").trim().parse().unwrap();
    kib * 1024
}

#[test]
fn nothing_changes() {
    let target = Target::started("keeps", &["free", "1"], "ready");
    let pid = target.pid();
    let before = anonymous_bytes(pid);
    let (status, reports) = reports(&["--dry-run", &pid.to_string()]);
    assert_eq!(status, 0);
    let report = &reports[0];
    assert_eq!(report["outcome"], "predicted");
    assert!(figure(report, "predicted_bytes") > 100 << 20);
    assert_eq!(figure(report, "attempts"), 0);
    for name in ["returned_bytes", "rss_after_bytes", "malloc_after"] {
        assert!(report[name].is_null(), "{name}");
    }
    assert_eq!(anonymous_bytes(pid), before);
    target.ends();
}

/// A process that is traced can't be traced by somebody else: if it can be looked at nevertheless,
/// it isn't by tracing it.
#[test]
fn nothing_is_traced() {
    let target = Target::started("keeps", &["free", "1"], "ready");
    let pid = target.pid().to_string();
    let arguments = ["trace", "--pid", &pid, "--via", "ptrace", "--duration", "60"];
    let mut command = brkhole(&arguments);
    command.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null());
    let mut other = command.spawn().unwrap();
    let seen = std::iter::repeat_with(|| {
        std::thread::sleep(std::time::Duration::from_millis(20));
        tracer(target.pid())
    });
    let seen = seen.take(1000).find(|tracer| *tracer != 0);
    let dry = trim(&["--dry-run", &pid]);
    let wet = trim(&[&pid]);
    other.kill().unwrap();
    other.wait().unwrap();
    assert!(seen.is_some(), "it was never traced");
    let (told, complaint) = (
        String::from_utf8_lossy(&dry.stdout).into_owned(),
        String::from_utf8_lossy(&wet.stderr).into_owned(),
    );
    assert!(dry.status.success() && told.contains("dry run"), "{told}");
    assert!(told.contains("would be refused"), "{told}");
    assert_eq!(wet.status.code(), Some(1));
    assert!(complaint.contains("is tracing it"), "{complaint}");
}
