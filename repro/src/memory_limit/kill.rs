//! Ends whatever is in a cgroup.
//!
//! # Safety
//!
//! `unsafe` is needed for two system calls that have no wrapper.
#![allow(unsafe_code)]

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::path::Path;

/// Sends SIGKILL to all its processes: by `cgroup.kill` where there is one (v2, since Linux 5.14),
/// else one by one.
pub(super) fn all_in(group: &Path) {
    let switch = OpenOptions::new()
        .write(true)
        .open(group.join("cgroup.kill"));
    if switch.and_then(|mut file| file.write_all(b"1")).is_ok() {
        return;
    }
    for pid in processes(group) {
        // That it has ended meanwhile is what was wanted; the caller looks again anyway.
        let _ = kill_if_in(group, pid);
    }
}

/// The processes that are in it.
pub(super) fn processes(group: &Path) -> Vec<i32> {
    let list = fs::read_to_string(group.join("cgroup.procs")).unwrap_or_default();
    list.lines().filter_map(|line| line.parse().ok()).collect()
}

/// The number is bound to its process first, so that it can't be given to another one between
/// looking and killing.
fn kill_if_in(group: &Path, pid: i32) -> io::Result<()> {
    // SAFETY: takes numbers only; answers with a new descriptor or -1.
    let answer = unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) };
    if answer < 0 {
        return Err(io::Error::last_os_error());
    }
    let descriptor = RawFd::try_from(answer).map_err(io::Error::other)?;
    // SAFETY: the descriptor is new and nobody else's.
    let process = unsafe { OwnedFd::from_raw_fd(descriptor) };
    if !processes(group).contains(&pid) {
        return Ok(());
    }
    let no_info = std::ptr::null::<libc::siginfo_t>();
    // SAFETY: the descriptor is open; without an info the kernel makes one as for kill(2).
    let answer = unsafe {
        libc::syscall(
            libc::SYS_pidfd_send_signal,
            process.as_raw_fd(),
            libc::SIGKILL,
            no_info,
            0,
        )
    };
    match answer {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}
