//! What a child does between fork and exec: it puts itself under its limit.
//!
//! # Safety
//!
//! Between fork and exec only async-signal-safe calls may be made: these are system calls on what
//! was prepared before, and errors that hold a number.
#![allow(unsafe_code)]

use nix::fcntl::{OFlag, open};
use nix::sys::resource::{Resource, setrlimit};
use nix::sys::signal::Signal;
use nix::sys::stat::Mode;
use nix::unistd::{Pid, getppid, write};
use std::fs::File;
use std::io::{self, Write};
use std::os::unix::process::CommandExt;
use std::process::Command;

/// The child ends when the thread that starts it does, however that ends.
///
/// # References
///
/// PR_SET_PDEATHSIG(2const)
pub(crate) fn dies_with_parent(command: &mut Command) {
    let parent = Pid::this();
    let ask = move || {
        nix::sys::prctl::set_pdeathsig(Signal::SIGKILL)?;
        // The parent may have ended before it was asked for.
        match getppid() == parent {
            true => Ok(()),
            false => Err(io::ErrorKind::BrokenPipe.into()),
        }
    };
    // SAFETY: two system calls; see above.
    unsafe { command.pre_exec(ask) };
}

/// The child enters a cgroup, by its open `cgroup.procs`, so that its start is charged there too.
pub(super) fn into_group(command: &mut Command, mut processes: File) {
    // SAFETY: one write(2) to an open file; see above.
    unsafe { command.pre_exec(move || processes.write_all(b"0")) };
}

/// Whoever else is short of memory, the child is the first that the kernel ends.
///
/// # References
///
/// proc_pid_oom_score_adj(5)
pub(crate) fn first_victim(command: &mut Command) {
    let raise = || {
        // Opened by the child, the file is about the child.
        let file = open(
            c"/proc/self/oom_score_adj",
            OFlag::O_WRONLY | OFlag::O_CLOEXEC,
            Mode::empty(),
        )?;
        write(file, b"1000")?;
        Ok(())
    };
    // SAFETY: system calls on a constant path; see above.
    unsafe { command.pre_exec(raise) };
}

/// The child has at most so many bytes of data: its break and its private writable mappings.
///
/// # References
///
/// getrlimit(2), `RLIMIT_DATA`; Linux `mm/mmap.c`, `may_expand_vm`: since 4.7 private writable
/// mappings count as well.
pub(crate) fn with_data_limit(command: &mut Command, bytes: u64) {
    let limit = move || setrlimit(Resource::RLIMIT_DATA, bytes, bytes).map_err(io::Error::from);
    // SAFETY: one system call; see above.
    unsafe { command.pre_exec(limit) };
}
