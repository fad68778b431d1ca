//! Programs that are in and out of malloc all the time.

use crate::trim::harness::{Target, reports};

/// So many times.
const TRIMS: usize = 12;

fn survives(threads: &str) {
    let mut target = Target::started("churn", &[threads], "ready");
    let pid = target.pid().to_string();
    let mut trimmed = 0;
    for _ in 0..TRIMS {
        let (status, reports) = reports(&["--patience", "5", &pid]);
        let outcome = reports[0]["outcome"].as_str().unwrap();
        match status {
            0 => trimmed += 1,
            _ => assert_eq!(outcome, "gave-up", "{:#}", reports[0]),
        }
    }
    // Whether there is a good moment is luck; but not each time none.
    assert!(trimmed > 0, "{trimmed} of {TRIMS}");
    if threads == "1" {
        assert_eq!(std::fs::read(format!("/proc/{pid}/comm")).unwrap(), b"brkhole-trim_ch\n");
    } else {
        target.is_well();
        target.ends();
    }
}

#[test]
fn one_thread() {
    survives("1");
}

#[test]
fn four_threads() {
    survives("4");
}
