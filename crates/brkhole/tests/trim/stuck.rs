//! A process that is inside malloc all the time is left alone.

use crate::trim::harness::{Target, figure, reports, trimmed};

fn left_alone(threads: &str, stack: &str, asserted: impl FnOnce(&str)) {
    let mut target = Target::started("stuck", &[threads, stack], "stuck");
    let (status, reports) = reports(&["--patience", "5", &target.pid().to_string()]);
    let report = &reports[0];
    assert_eq!(status, 1, "{report:#}");
    assert_eq!(report["outcome"], "gave-up", "{report:#}");
    assert!(figure(report, "attempts") >= 2, "{report:#}");
    assert!(report["returned_bytes"].is_null());
    let reason = report["reason"].as_str().unwrap();
    let tid = target.pid().to_string();
    for word in [&tid, "inside malloc", "wait_for_a_line", "malloc (libc", "Nothing was changed"] {
        assert!(reason.contains(word), "{word}: {reason}");
    }
    asserted(reason);
    // It goes on from inside malloc, and then there is a good moment.
    target.nudge();
    target.says("ready");
    trimmed(target.pid());
    target.is_well();
    target.ends();
}

#[test]
fn without_a_lock() {
    left_alone("single", "same", |_| {});
}

#[test]
fn with_the_lock_held() {
    left_alone("several", "same", |_| {});
}

#[test]
fn interrupted_on_another_stack() {
    left_alone("single", "other", |_| {});
    left_alone("several", "other", |_| {});
}
