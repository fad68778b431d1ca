//! What the thread that makes the call has for itself stays as it was.

use std::os::unix::fs::MetadataExt;
use std::process::Command;

use crate::common::skipped;
use crate::trim::harness::{Target, figure, trimmed};

/// malloc_trim fails at locked pages, and says so in `errno`: the program's own must not change.
#[test]
fn errno() {
    if !much_may_be_locked() {
        return skipped("so much memory can't be locked here (ulimit -l)");
    }
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

/// Whether this user's programs may lock 64 MiB; root's may lock all there is.
fn much_may_be_locked() -> bool {
    let limit = Command::new("sh").args(["-c", "ulimit -l"]).output();
    let kibibytes = String::from_utf8(limit.unwrap().stdout).unwrap();
    let enough = |kibibytes: u64| kibibytes >= 64 << 10;
    let limited = kibibytes.trim().parse().is_ok_and(|kibibytes| !enough(kibibytes));
    std::fs::metadata("/proc/self").unwrap().uid() == 0 || !limited
}
