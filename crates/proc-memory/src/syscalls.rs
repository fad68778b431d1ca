//! System calls that several crates make, in the types that are used here.
//!
//! # Safety
//! `get_robust_list` writes one word to each of two variables.
#![allow(unsafe_code)]

use std::io;
use std::os::fd::OwnedFd;
use std::sync::LazyLock;
use std::time::Duration;

use nix::errno::Errno;
use nix::time::{ClockId, clock_gettime};
use nix::unistd::{SysconfVar, sysconf};
use rustix::process::{Pid, PidfdFlags, Signal};

/// Opens a process's file descriptor, close-on-exec: never another process's that got the same
/// number. It becomes readable when the process ends.
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

/// Where a thread's list of robust mutexes begins: in its C library's record of the thread.
///
/// # Errors
/// `ESRCH`, `EPERM`.
///
/// # References
/// get_robust_list(2)
pub fn robust_list(tid: i32) -> Result<u64, Errno> {
    let (mut head, mut length) = (0_u64, 0_usize);
    let (head_at, length_at) = (&raw mut head, &raw mut length);
    // SAFETY: the kernel writes a pointer, which has 64 bits on all machines that this is built for
    // or fewer, and a size to these two, which live until it returns.
    let result = unsafe { libc::syscall(libc::SYS_get_robust_list, tid, head_at, length_at) };
    Errno::result(result).map(|_| head)
}

/// Processor time that the calling thread has used.
///
/// # References
/// clock_gettime(2), `CLOCK_THREAD_CPUTIME_ID`
pub fn thread_cpu_time() -> Duration {
    // A thread may always ask for its own.
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).map_or(Duration::ZERO, Duration::from)
}

/// Size of a page in bytes.
///
/// # Panics
/// Never in practice: POSIX requires the C library to know it.
pub fn page_size_bytes() -> u64 {
    // Asked for at every memory call that is told.
    static BYTES: LazyLock<u64> = LazyLock::new(|| {
        let bytes = sysconf(SysconfVar::PAGE_SIZE).ok().flatten();
        let bytes = bytes.and_then(|bytes| bytes.try_into().ok());
        bytes.expect("sysconf(3) knows the page size")
    });
    *BYTES
}

/// One little-endian word of bytes that were read; zero if they end before it does.
#[inline]
pub fn word(bytes: &[u8], at: usize) -> u64 {
    bytes.get(at..at + 8).and_then(|eight| eight.try_into().ok()).map_or(0, u64::from_le_bytes)
}
