//! The steps in the child between fork and exec.
//!
//! # Safety
//! After a fork in a program with threads, the child may only make async-signal-safe calls: any
//! lock, malloc's among them, may be held for ever by a thread that exists no more. Hence this
//! module's rule: everything is prepared before the fork, and [`Wiring::apply`] and what it calls
//! allocate nothing, lock nothing and cannot panic.
#![allow(unsafe_code)]

use std::ffi::c_int;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::sync::Arc;

use super::Stream;

/// Streams, descriptors and signal mask, ready to be set up in a child.
#[derive(Debug)]
pub(crate) struct Wiring {
    streams: [Stream; 3],
    inherited: Vec<Arc<OwnedFd>>,
    unblock_signals: bool,
}

/// The step at which a child failed, for the parent's message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub(crate) enum Step {
    /// Redirecting a standard stream.
    Stream = 1,
    /// Clearing close-on-exec.
    Inherit,
    /// Setting the signal mask.
    Signals,
    /// Changing the directory.
    Directory,
    /// Installing the filter.
    Filter,
    /// Executing the program.
    Exec,
}

impl Step {
    /// The step of this number, as a child sent it.
    pub(crate) fn from_number(number: i32) -> Option<Self> {
        [
            Self::Stream,
            Self::Inherit,
            Self::Signals,
            Self::Directory,
            Self::Filter,
            Self::Exec,
        ]
        .into_iter()
        .find(|step| *step as i32 == number)
    }
}

impl Wiring {
    pub(super) fn new(
        streams: &[Stream; 3],
        inherited: &[Arc<OwnedFd>],
        unblock_signals: bool,
    ) -> Self {
        Self {
            streams: streams.clone(),
            inherited: inherited.to_vec(),
            unblock_signals,
        }
    }

    /// Sets everything up in the calling process.
    ///
    /// # Safety
    /// To be called in a forked child before exec. It replaces the standard streams of the
    /// process, whoever else uses them.
    pub(crate) unsafe fn apply(&self) -> Result<(), (Step, c_int)> {
        // Standard error first: the others may refer to it.
        for number in [2, 0, 1] {
            let stream = &self.streams[number as usize];
            // SAFETY: the caller promises that this process is a child before exec, whose streams
            // nobody else uses.
            unsafe { redirect(stream, number) }.map_err(|errno| (Step::Stream, errno))?;
        }
        for fd in &self.inherited {
            // SAFETY: F_SETFD takes an integer and changes one flag of a descriptor that `fd`
            // keeps open.
            let result = unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_SETFD, 0) };
            check(result).map_err(|errno| (Step::Inherit, errno))?;
        }
        if self.unblock_signals {
            let mask = empty_signal_set();
            // SAFETY: `mask` is an initialised set; the old mask isn't asked for.
            let result =
                unsafe { libc::sigprocmask(libc::SIG_SETMASK, &mask, std::ptr::null_mut()) };
            check(result).map_err(|errno| (Step::Signals, errno))?;
        }
        Ok(())
    }

    /// Has `command` set everything up in its child.
    pub(super) fn attach(self, command: &mut Command, die_with_parent: bool) {
        let parent = std::process::id() as libc::pid_t;
        let set_up = move || {
            if die_with_parent {
                die_with(parent)?;
            }
            // SAFETY: `Command` calls this in its child before exec.
            unsafe { self.apply() }.map_err(|(_, errno)| io::Error::from_raw_os_error(errno))
        };
        // SAFETY: the closure keeps to this module's rule: prctl, getppid, dup2, open, fcntl and
        // sigprocmask are async-signal-safe, `self` was built before the fork, and an
        // `io::Error` from an error number doesn't allocate.
        unsafe { command.pre_exec(set_up) };
    }
}

/// A signal set without signals.
pub(crate) fn empty_signal_set() -> libc::sigset_t {
    let mut set = std::mem::MaybeUninit::uninit();
    // SAFETY: sigemptyset writes the whole set and fails for no valid pointer.
    unsafe { libc::sigemptyset(set.as_mut_ptr()) };
    // SAFETY: just written.
    unsafe { set.assume_init() }
}

/// Makes `number` refer to what `stream` says.
///
/// # Safety
/// Whatever `number` referred to is closed, whoever uses it.
unsafe fn redirect(stream: &Stream, number: c_int) -> Result<(), c_int> {
    match stream {
        Stream::Inherit => Ok(()),
        // SAFETY: passed on to the caller.
        Stream::Stderr => unsafe { duplicate(2, number) },
        // SAFETY: passed on to the caller.
        Stream::Fd(fd) => unsafe { duplicate(fd.as_raw_fd(), number) },
        Stream::Null => {
            let flags = libc::O_RDWR | libc::O_CLOEXEC;
            // SAFETY: the path is a C string, and a new descriptor harms nobody.
            let fd = unsafe { libc::open(c"/dev/null".as_ptr(), flags) };
            check(fd)?;
            // SAFETY: passed on to the caller.
            unsafe { duplicate(fd, number) }
            // `fd` itself closes on exec.
        }
    }
}

/// dup2, and a cleared close-on-exec flag even if both numbers are the same.
///
/// # Safety
/// Whatever `to` referred to is closed, whoever uses it.
unsafe fn duplicate(from: c_int, to: c_int) -> Result<(), c_int> {
    if from == to {
        // SAFETY: F_SETFD takes an integer and changes one flag.
        return check(unsafe { libc::fcntl(to, libc::F_SETFD, 0) });
    }
    // SAFETY: passed on to the caller.
    check(unsafe { libc::dup2(from, to) })
}

/// Asks the kernel for SIGKILL when the parent's thread ends.
fn die_with(parent: libc::pid_t) -> io::Result<()> {
    // SAFETY: PR_SET_PDEATHSIG takes a signal number and changes this process alone.
    let result = unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) };
    check(result).map_err(io::Error::from_raw_os_error)?;
    // The parent may have ended before the wish was made; then nobody will ever send the signal.
    // SAFETY: takes nothing, changes nothing.
    if unsafe { libc::getppid() } != parent {
        return Err(io::Error::from_raw_os_error(libc::ECHILD));
    }
    Ok(())
}

/// The error number of a call that returned −1.
fn check(result: c_int) -> Result<(), c_int> {
    if result == -1 {
        Err(io::Error::last_os_error()
            .raw_os_error()
            .unwrap_or(libc::EIO))
    } else {
        Ok(())
    }
}
