//! How a process ended that this one is not the parent of.
//!
//! # Safety
//! The one ioctl is told by its number how large the structure is that it reads and writes.
#![allow(unsafe_code)]

use std::os::fd::{AsRawFd, OwnedFd};

use super::process_status;
use memory_event::Ending;

/// The ending of a process that did not end itself, as long as anything tells of it: until its
/// parent reaps it `/proc`, and afterwards its handle (pidfd), if one was opened before.
///
/// # References
/// `PIDFD_GET_INFO` in `include/uapi/linux/pidfd.h` (exit status since Linux 6.15)
pub(super) fn of(pid: i32, handle: Option<&OwnedFd>) -> Option<Ending> {
    let status = process_status::zombie_status(pid).or_else(|| reaped(handle?));
    status.and_then(Ending::from_wait_status)
}

/// `struct pidfd_info` in its first form.
#[repr(C)]
#[derive(Default)]
struct Info {
    mask: u64,
    cgroup: u64,
    ids: [u32; 11],
    exit_code: i32,
}

fn reaped(handle: &OwnedFd) -> Option<i32> {
    const GET_INFO: u32 = 0xC040_FF0B;
    const EXIT: u64 = 1 << 3;
    let mut info = Info {
        mask: EXIT,
        ..Info::default()
    };
    // SAFETY: reads and writes the 64 bytes of `info`.
    let result = unsafe { libc::ioctl(handle.as_raw_fd(), GET_INFO as _, &raw mut info) };
    (result == 0 && info.mask & EXIT != 0).then_some(info.exit_code)
}
