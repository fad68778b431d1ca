//! Waits for reports of what the calling thread traces or has forked (`__WNOTHREAD`): what other
//! threads of the host have started is theirs to wait for.
//!
//! Who has a deadline naps between two looks. The kernel gives nothing better to wait on: `waitpid`
//! knows no time limit, a pidfd tells of ends but not of stops, and SIGCHLD may be taken by any
//! thread of the host.
//!
//! # Safety
//! waitpid(2) and waitid(2) write to the status that they are given, and read nothing.
#![allow(unsafe_code)]

use std::io;
use std::mem::MaybeUninit;

use crate::Stop;

/// Waits for the next report: thread and wait status. `None`: there is nobody left to wait for.
///
/// # Errors
/// What waitpid(2) says but `ECHILD`; `EINTR` is waited through.
pub fn wait_any() -> io::Result<Option<(i32, i32)>> {
    waitpid(0)
}

/// The next report, if there is one now.
///
/// # Errors
/// As for [`wait_any`].
pub fn try_wait_any() -> io::Result<Option<(i32, i32)>> {
    waitpid(libc::WNOHANG)
}

/// Waits for the end of a child, and gives its wait status: of a real-time signal, too, for which nix has
/// no name.
///
/// # Errors
/// What waitpid(2) says but `EINTR`, which is waited through; `ECHILD` if somebody else has waited for it.
pub fn wait_for(child: i32) -> io::Result<i32> {
    let mut status = 0;
    loop {
        // SAFETY: writes one int to `status`.
        if unsafe { libc::waitpid(child, &mut status, 0) } == child {
            return Ok(status);
        }
        let error = io::Error::last_os_error();
        if error.raw_os_error() != Some(libc::EINTR) {
            return Err(error);
        }
    }
}

fn waitpid(options: i32) -> io::Result<Option<(i32, i32)>> {
    let mut status = 0;
    loop {
        let options = options | libc::__WALL | libc::__WNOTHREAD;
        // SAFETY: writes one int to `status`.
        let tid = unsafe { libc::waitpid(-1, &mut status, options) };
        if tid >= 0 {
            return Ok((tid > 0).then_some((tid, status)));
        }
        let error = io::Error::last_os_error();
        match error.raw_os_error() {
            Some(libc::EINTR) => {}
            Some(libc::ECHILD) => return Ok(None),
            _ => return Err(error),
        }
    }
}

/// What waitid(2) tells of one thread: `si_code` and `si_status`. `None`: nothing now, with
/// `WNOHANG`. With `WNOWAIT` the report stays for whoever else waits for it.
///
/// # Errors
/// `ECHILD` if the thread isn't traced by the calling thread or is no more; what waitid(2) says
/// otherwise but `EINTR`, which is waited through.
pub fn report(tid: i32, options: i32) -> io::Result<Option<(i32, i32)>> {
    let mut info = MaybeUninit::<libc::siginfo_t>::zeroed();
    let options = options | libc::__WALL | libc::__WNOTHREAD;
    loop {
        // SAFETY: writes one siginfo_t to `info`.
        let result =
            unsafe { libc::waitid(libc::P_PID, tid as libc::id_t, info.as_mut_ptr(), options) };
        if result == 0 {
            break;
        }
        let error = io::Error::last_os_error();
        if error.raw_os_error() != Some(libc::EINTR) {
            return Err(error);
        }
    }
    // SAFETY: zeroed, which is valid, and then written by the kernel or left so.
    let info = unsafe { info.assume_init() };
    // SAFETY: waitid fills this field in, or nothing, and then it is 0.
    let pid = unsafe { info.si_pid() };
    // SAFETY: the same.
    let status = unsafe { info.si_status() };
    Ok((pid != 0).then_some((info.si_code, status)))
}

/// Takes the stop that a thread has come to; `None`: to none, with `WNOHANG`, or SIGKILL has ended
/// it meanwhile. A thread that has ended or is about to is told as [`Stop::Ended`]; that report is
/// left to whoever else waits for it.
///
/// # Errors
/// What waitid(2) says but `EINTR` and `ECHILD`.
pub fn take_stop(tid: i32, options: i32) -> io::Result<Option<Stop>> {
    const ENDED: Option<Stop> = Some(Stop::Ended(0));
    let peek = libc::WEXITED | libc::WSTOPPED | libc::WNOWAIT | options;
    let status = match report(tid, peek) {
        Ok(Some((libc::CLD_TRAPPED | libc::CLD_STOPPED, status))) => status,
        Ok(None) => return Ok(None),
        Ok(Some(_)) => return Ok(ENDED),
        // Another thread executed a program, so that this one is no more.
        Err(error) if error.raw_os_error() == Some(libc::ECHILD) => return Ok(ENDED),
        Err(error) => return Err(error),
    };
    if Stop::of_waitid(status) == Stop::Exit {
        return Ok(ENDED);
    }
    let taken = report(tid, libc::WSTOPPED | libc::WNOHANG)?;
    Ok(taken.map(|(_, status)| Stop::of_waitid(status)))
}
