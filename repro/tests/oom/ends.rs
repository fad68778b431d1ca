//! However it ends, nothing is left: no cgroup, no process, no mount.

use crate::oom::harness::{Running, permitted};
use std::path::PathBuf;

/// Long enough to be interrupted.
const LONG: [&str; 4] = ["--budget", "256MiB", "--repeats", "1"];

/// A third of the budget is loaded when it is interrupted.
const LOADED: u64 = 80 << 20;

fn mounts() -> String {
    std::fs::read_to_string("/proc/self/mountinfo").unwrap()
}

#[test]
fn asked_to_end() {
    if !permitted() {
        return;
    }
    let before = mounts();
    for signal in [libc::SIGINT, libc::SIGTERM] {
        let mut running = Running::start(&LONG);
        running.at_work(LOADED);
        running.signal(signal);
        let output = running.output();
        assert_eq!(output.status.code(), Some(130), "{output:?}");
        // Not "soon": at its end it has gone already.
        assert_eq!(running.groups(), Vec::<PathBuf>::new());
        assert_eq!(running.started(), Vec::<i32>::new());
    }
    assert_eq!(mounts(), before);
}

#[test]
fn killed() {
    if !permitted() {
        return;
    }
    let before = mounts();
    let mut running = Running::start(&LONG);
    running.at_work(LOADED);
    running.signal(libc::SIGKILL);
    assert_eq!(running.output().status.code(), None);
    running.nothing_is_left();
    assert_eq!(mounts(), before);
}

#[test]
fn two_at_once_end_each_for_itself() {
    if !permitted() {
        return;
    }
    let mut first = Running::start(&LONG);
    let mut second = Running::start(&LONG);
    let (group, _) = first.at_work(LOADED);
    let (other, child) = second.at_work(LOADED);
    assert_ne!(group, other);
    first.signal(libc::SIGKILL);
    first.output();
    first.nothing_is_left();
    // The other one goes on as if nothing had been.
    assert!(second.started().contains(&child) || !second.groups().is_empty());
    second.signal(libc::SIGINT);
    assert_eq!(second.output().status.code(), Some(130));
    second.nothing_is_left();
}
