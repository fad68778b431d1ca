//! What can't be looked into is named, and the others are reported all the same.

use std::process::{Child, Command};
use suite::waiting::eventually;

use serde_json::Value;

use crate::common::{output, skipped};
use crate::inspect::target::Keeps;

/// Looks into a process that can't be looked into beside one that can; gives what was said of it.
fn complaint_on(pid: &str) -> String {
    let target = Keeps::free(64);
    let inspected = output(&["inspect", "--format", "json", pid, &target.number()]);
    assert_eq!(inspected.status.code(), Some(1));
    let report: Value = serde_json::from_slice(&inspected.stdout).expect("the other one");
    let processes = report["processes"].as_array().unwrap();
    assert_eq!(processes.len(), 1, "{report}");
    assert_eq!(processes[0]["pid"], target.pid());
    let complaint = String::from_utf8(inspected.stderr).unwrap();
    assert!(complaint.contains(pid), "{complaint}");
    complaint
}

#[test]
fn a_pid_that_nobody_has() {
    // Beyond the greatest that the kernel gives (PID_MAX_LIMIT is 2^22).
    let complaint = complaint_on("99999999");
    assert!(complaint.contains("no such process"), "{complaint}");
}

#[test]
fn a_process_that_has_ended() {
    struct Zombie(Child);
    impl Drop for Zombie {
        fn drop(&mut self) {
            let _ = self.0.wait();
        }
    }
    let zombie = Zombie(Command::new("true").spawn().unwrap());
    let pid = zombie.0.id();
    let is_zombie = || {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
        stat.contains(") Z ")
    };
    eventually("it is a zombie", is_zombie);
    let complaint = complaint_on(&pid.to_string());
    assert!(complaint.contains("has ended"), "{complaint}");
}

#[test]
fn a_thread_of_the_kernel() {
    let Some(pid) = kernel_thread() else {
        return skipped("no kernel thread is visible here");
    };
    let complaint = complaint_on(&pid);
    assert!(complaint.contains("kernel thread"), "{complaint}");
}

/// Any: `PF_KTHREAD` is set in the ninth field of its `stat`.
fn kernel_thread() -> Option<String> {
    const KERNEL_THREAD: u64 = 0x0020_0000;
    let directories = std::fs::read_dir("/proc").unwrap().flatten();
    let names = directories.filter_map(|each| each.file_name().into_string().ok());
    names.filter(|name| name.parse::<i32>().is_ok()).find(|pid| {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let rest = stat.rsplit(") ").next().unwrap_or_default();
        let flags = rest.split(' ').nth(6).and_then(|flags| flags.parse::<u64>().ok());
        flags.is_some_and(|flags| flags & KERNEL_THREAD != 0)
    })
}

#[test]
fn nothing_to_look_at_is_bad_usage() {
    for arguments in [
        &["inspect"][..],
        &["inspect", "0"],
        &["inspect", "-1"],
        &["inspect", "nginx"],
        &["inspect", "--all", "1"],
        &["inspect", "--all", "--top", "0"],
        &["inspect", "--all", "--watch", "0"],
    ] {
        assert_eq!(output(arguments).status.code(), Some(2), "{arguments:?}");
    }
    let nowhere = ["inspect", "--all", "-o", "/no/such/directory/file"];
    let refused = output(&nowhere);
    assert_eq!(refused.status.code(), Some(1));
    let complaint = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(complaint.contains("/no/such/directory/file"), "{complaint}");
}
