//! Signals at brkhole never leave a process standing still, or harmed.

use std::time::Duration;

use crate::trim::harness::{Target, send, tracer, trimming, wait_for_hold};

/// So many times brkhole is killed.
const KILLS: u64 = 40;

/// It has to end soon although patience is far from over.
#[test]
fn ctrl_c_while_waiting() {
    for name in ["-INT", "-TERM", "-HUP"] {
        let mut target = Target::started("stuck", &["single", "same"], "stuck");
        let child = trimming(&target, &[]);
        // Until it has begun, a signal ends it in the ordinary way.
        wait_for_hold(target.pid());
        send(child.id() as i32, name);
        let output = child.wait_with_output().unwrap();
        let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{complaint}");
        assert!(complaint.contains("signal"), "{complaint}");
        assert_eq!(tracer(target.pid()), 0);
        target.nudge();
        target.says("ready");
        target.is_well();
    }
}

#[test]
fn killed_at_any_moment() {
    let mut target = Target::started("keeps", &["free", "8"], "ready");
    for round in 0..KILLS {
        let mut child = trimming(&target, &[]);
        std::thread::sleep(Duration::from_millis(round * 5));
        child.kill().unwrap();
        child.wait().unwrap();
        target.is_well();
        assert_eq!(tracer(target.pid()), 0);
    }
    target.ends();
}
