//! A process by a file descriptor: never another one that got the same number.

use std::io;
use std::os::fd::OwnedFd;

use rustix::process::{Pid, PidfdFlags, Signal};

/// Opens one, close-on-exec. It becomes readable when the process ends.
///
/// # Errors
/// `ESRCH` if there is no such process, `EMFILE`, and what the kernel says otherwise.
///
/// # References
/// pidfd_open(2) (Linux 5.3)
pub fn pidfd_open(pid: i32) -> io::Result<OwnedFd> {
    let pid = Pid::from_raw(pid).ok_or(rustix::io::Errno::INVAL)?;
    Ok(rustix::process::pidfd_open(pid, PidfdFlags::empty())?)
}

/// Sends SIGKILL; an ended process doesn't mind.
///
/// # References
/// pidfd_send_signal(2) (Linux 5.1)
pub fn pidfd_kill(pidfd: &OwnedFd) {
    let _ = rustix::process::pidfd_send_signal(pidfd, Signal::KILL);
}
