//! What the thread that makes the call has for itself stays as it was.

use crate::harness::{Target, figure, trimmed};

/// malloc_trim fails at locked pages, and says so in `errno`: the program's own must not change.
#[test]
fn errno() {
    let mut target = Target::started("locked", &[], "ready");
    for _ in 0..5 {
        let report = trimmed(target.pid());
        let free = report["malloc_before"]["free_bytes"].as_u64().unwrap();
        assert!(free > 10 << 20, "{report:#}");
        assert!(figure(&report, "returned_bytes") < 1 << 20, "{report:#}");
    }
    target.signal(libc::SIGTERM);
    target.ended();
}
