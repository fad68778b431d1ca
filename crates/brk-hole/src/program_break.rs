//! Where the program break of this process is, and whether the kernel would let it grow.
//!
//! # Safety
//! `unsafe` is needed to ask for the break, which changes nothing. Moving it behind malloc's back
//! corrupts malloc, so that question is put in a forked copy of the process, which makes three
//! system calls and ends.
#![allow(unsafe_code)]

use std::io;

/// The break now, as the kernel has it: the first address after the data segment.
///
/// Any thread that allocates may move it, so the value is old when it arrives.
///
/// Asked by the system call itself: glibc's `sbrk(0)` answers from a variable of its own, and
/// musl's fails.
///
/// # References
/// brk(2), "C library/kernel differences"; Linux `mm/mmap.c`, `SYSCALL_DEFINE1(brk)`: a request
/// below the segment's start changes nothing and returns the present break.
pub fn program_break() -> usize {
    // SAFETY: the kernel refuses a break of 0 and answers with the present one; nothing changes.
    let answer = unsafe { libc::syscall(libc::SYS_brk, 0) };
    answer as usize
}

/// [`program_break`] rounded up to a whole page: where a hole has to lie.
pub fn page_aligned_break() -> usize {
    program_break().next_multiple_of(page_size())
}

/// Bytes in a page. Asking for it allocates nothing.
pub(crate) fn page_size() -> usize {
    proc_memory::page_size_bytes() as usize
}

/// The kernel's answer to a larger break.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BreakGrowth {
    /// The break could move that far now.
    Granted,
    /// It could not: a mapping is in the way, or a limit (`RLIMIT_DATA`, `RLIMIT_AS`, overcommit).
    Refused,
}

/// The status with which the copy says that the break moved.
const MOVED: libc::c_int = 1;

impl BreakGrowth {
    /// Asks whether the break could grow by `bytes` bytes, and leaves it where it is.
    ///
    /// Any thread may call it at any time. It costs a fork, so it isn't for hot paths.
    ///
    /// # Errors
    /// When the process can't be forked (clone(2)'s reasons) or the copy was killed.
    ///
    /// # References
    /// brk(2): the system call returns the new break on success, the present one on failure.
    pub fn probe(bytes: usize) -> io::Result<Self> {
        // No exit signal: a handler or an ignored SIGCHLD of the caller neither sees nor reaps the copy.
        // SAFETY: without CLONE_VM this is a fork. The copy has only this thread, and until it ends it
        // makes bare system calls, no call that could wait for a lock which another thread held.
        let pid = unsafe { libc::syscall(libc::SYS_clone, 0, 0, 0, 0, 0) };
        match pid {
            -1 => Err(io::Error::last_os_error()),
            0 => try_and_exit(bytes),
            pid => answer_of(pid as libc::pid_t),
        }
    }
}

/// In the copy: moves the break and tells by the exit status whether it moved.
fn try_and_exit(bytes: usize) -> ! {
    // SAFETY: asks for the present break; changes nothing.
    let present = unsafe { libc::syscall(libc::SYS_brk, 0) } as usize;
    let wanted = present.saturating_add(bytes);
    // SAFETY: nothing allocates in this copy any more, so nobody minds where its break is.
    let moved_to = unsafe { libc::syscall(libc::SYS_brk, wanted) } as usize;
    let status = if moved_to == wanted { MOVED } else { 0 };
    // SAFETY: ends the copy without running the caller's exit handlers.
    unsafe { libc::_exit(status) }
}

fn answer_of(pid: libc::pid_t) -> io::Result<BreakGrowth> {
    let mut status = 0;
    loop {
        // SAFETY: `status` outlives the call. `__WALL` because a child without an exit signal is
        // not waited for otherwise.
        let waited = unsafe { libc::waitpid(pid, &raw mut status, libc::__WALL) };
        if waited == pid {
            break;
        }
        let error = io::Error::last_os_error();
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(error);
        }
    }
    if !libc::WIFEXITED(status) {
        return Err(io::Error::other("the process that tried brk was killed"));
    }
    Ok(match libc::WEXITSTATUS(status) {
        MOVED => BreakGrowth::Granted,
        _ => BreakGrowth::Refused,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounding_goes_up_to_the_next_page() {
        let aligned = page_aligned_break();
        assert_eq!(aligned % page_size(), 0);
        assert!(page_size().is_power_of_two());
    }
}
