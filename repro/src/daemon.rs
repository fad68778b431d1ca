//! Becoming a daemon.
//!
//! # Safety
//!
//! `unsafe` is needed for fork(2) and what goes with it.
#![allow(unsafe_code)]

use std::io;
use std::process;

/// Goes on in a forked process, as an nginx master does when its first configuration stands.
///
/// It isn't the same process any more. fork(2) copies the page tables of memory that was written to,
/// and leaves out those of files: the new process has to find program and libraries again, page by
/// page, so that its resident memory begins with less than the old one had.
///
/// Where nginx's old process ends at once, this one waits, and ends as the new one did: somebody
/// started it and waits for that. What both have they share, as a master and its workers do.
///
/// # Errors
///
/// When there can be no other process.
///
/// # References
///
/// nginx `src/os/unix/ngx_daemon.c`; Linux `mm/memory.c`, `vma_needs_copy`
pub(crate) fn become_daemon() -> io::Result<()> {
    let original = process::id();
    // SAFETY: the chapters that call this have no second thread, so the new process finds no lock held.
    match unsafe { libc::fork() } {
        -1 => Err(io::Error::last_os_error()),
        0 => end_with(original),
        daemon => process::exit(ending_of(daemon)?),
    }
}

/// Has this process killed when its parent ends.
fn end_with(parent: u32) -> io::Result<()> {
    // SAFETY: PR_SET_PDEATHSIG takes a signal and touches no memory.
    if unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) } == -1 {
        return Err(io::Error::last_os_error());
    }
    if std::os::unix::process::parent_id() != parent {
        return Err(io::Error::other("the process that was started is gone"));
    }
    Ok(())
}

/// Waits for the process; its status, as a shell has it.
fn ending_of(pid: libc::pid_t) -> io::Result<i32> {
    let mut status = 0;
    // SAFETY: `status` is a c_int to write to.
    while unsafe { libc::waitpid(pid, &raw mut status, 0) } == -1 {
        let error = io::Error::last_os_error();
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(error);
        }
    }
    Ok(if libc::WIFSIGNALED(status) {
        128 + libc::WTERMSIG(status)
    } else {
        libc::WEXITSTATUS(status)
    })
}
