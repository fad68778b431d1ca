//! The process that is to be watched: whether it can be, whether it lives, and how it ended.
//!
//! # Safety
//! The one ioctl is told by its number how large the structure is that it reads and writes.
#![allow(unsafe_code)]

use std::collections::HashSet;
use std::fs;
use std::os::fd::{AsRawFd, OwnedFd};

use proc_memory::{Stat, Status};

use super::AttachError;
use memory_event::Ending;

/// What `/proc/PID` says of a process.
#[derive(Clone, Debug)]
struct ProcessStatus {
    process: i32,
    parent: i32,
    tracer: Option<i32>,
    state: u8,
    threads: u64,
    kernel_thread: bool,
}

/// Refuses what can't be watched whatever the means.
pub(super) fn check(pid: i32) -> Result<(), AttachError> {
    let standing = standing(pid).ok_or(AttachError::NoSuchProcess { pid })?;
    if standing.process == std::process::id() as i32 {
        Err(AttachError::Itself { pid })
    } else if standing.process != pid {
        let process = standing.process;
        Err(AttachError::NotAProcess { pid, process })
    } else if standing.kernel_thread {
        Err(AttachError::KernelThread { pid })
    } else if matches!(standing.state, b'Z' | b'X') && standing.threads <= 1 {
        let parent = standing.parent;
        Err(AttachError::Zombie { pid, parent })
    } else {
        Ok(())
    }
}

/// Refuses a process that has a tracer, or that the watcher itself waits for: with parent and
/// tracer in one process, whichever thread waits first takes the report of its end.
pub(super) fn check_untraced(pid: i32) -> Result<(), AttachError> {
    match standing(pid) {
        Some(ProcessStatus { parent, .. }) if parent == std::process::id() as i32 => {
            Err(AttachError::OwnChild { pid })
        }
        Some(ProcessStatus { tracer: Some(tracer), .. }) => Err(AttachError::AlreadyTraced {
            pid,
            tracer,
            tracer_name: fs::read(format!("/proc/{tracer}/comm")).map_or_else(
                |_| "its name is hidden".into(),
                |name| String::from_utf8_lossy(name.trim_ascii()).into_owned(),
            ),
        }),
        _ => Ok(()),
    }
}

/// All threads of a process, those that are made from here on excepted.
pub(super) fn all_threads(pid: i32) -> HashSet<i32> {
    loop {
        let (threads, whole) = tracee::threads(pid);
        if whole {
            return threads.into_iter().collect();
        }
    }
}

/// Whether a process is there and hasn't ended.
pub(super) fn is_alive(pid: i32) -> bool {
    standing(pid).is_some_and(|it| !matches!(it.state, b'Z' | b'X') || it.threads > 1)
}

/// How a process ended that its parent hasn't reaped yet, as a wait status.
///
/// # References
/// proc_pid_stat(5), field 52
pub(super) fn zombie_status(pid: i32) -> Option<i32> {
    let stat = Stat::of_thread(pid, pid)?;
    matches!(stat.state, b'Z' | b'X').then_some(stat.exit_status)
}

/// Whether a process runs a program of another word size than this one.
pub(super) fn is_foreign(pid: i32) -> bool {
    use std::io::Read;
    let mut head = [0; 20];
    let file = fs::File::open(format!("/proc/{pid}/exe"));
    let read = file.and_then(|mut file| file.read_exact(&mut head));
    // Class at 4 (2 for 64 bits), machine at 18.
    const MACHINE: u16 = if cfg!(target_arch = "x86_64") { 62 } else { 183 };
    read.is_ok() && (head[4] != 2 || u16::from_le_bytes([head[18], head[19]]) != MACHINE)
}

/// The ending of a process that did not end itself, as long as anything tells of it: until its
/// parent reaps it `/proc`, and afterwards its handle (pidfd), if one was opened before.
///
/// # References
/// `PIDFD_GET_INFO` in `include/uapi/linux/pidfd.h` (exit status since Linux 6.15)
pub(super) fn ending_of(pid: i32, handle: Option<&OwnedFd>) -> Option<Ending> {
    let status = zombie_status(pid).or_else(|| reaped(handle?));
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
    let mut info = Info { mask: EXIT, ..Info::default() };
    // SAFETY: reads and writes the 64 bytes of `info`.
    let result = unsafe { libc::ioctl(handle.as_raw_fd(), GET_INFO as _, &raw mut info) };
    (result == 0 && info.mask & EXIT != 0).then_some(info.exit_code)
}

fn standing(pid: i32) -> Option<ProcessStatus> {
    if pid <= 0 {
        return None;
    }
    let status = Status::of(pid).ok()?;
    let process = status.number("Tgid")?;
    let stat = Stat::of_thread(process, pid)?;
    Some(ProcessStatus {
        process,
        parent: status.number("PPid")?,
        tracer: status.tracing_process(),
        threads: status.number("Threads").unwrap_or(1),
        state: stat.state,
        kernel_thread: stat.is_kernel_thread(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_refused() {
        let here = std::process::id() as i32;
        assert!(matches!(check(here), Err(AttachError::Itself { .. })));
        let this = fs::read_link("/proc/thread-self").unwrap();
        let tid = this.file_name().unwrap().to_str().unwrap().parse().unwrap();
        assert!(matches!(check(tid), Err(AttachError::Itself { .. })));
        for nobody in [0, -1, i32::MAX] {
            let found = check(nobody);
            assert!(matches!(found, Err(AttachError::NoSuchProcess { .. })));
        }
        assert!(is_alive(here) && !is_foreign(here));
        assert_eq!(zombie_status(here), None);
    }

    #[test]
    fn a_zombies_status() {
        let mut child = std::process::Command::new("sh").args(["-c", "exit 7"]).spawn().unwrap();
        let pid = child.id() as i32;
        while is_alive(pid) {
            std::thread::yield_now();
        }
        assert_eq!(zombie_status(pid), Some(7 << 8));
        assert!(matches!(check(pid), Err(AttachError::Zombie { .. })));
        child.wait().unwrap();
    }
}
