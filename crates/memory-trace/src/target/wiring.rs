//! The steps in the child between fork and exec.
//!
//! # Safety
//! After a fork in a program with threads, the child may only make async-signal-safe calls: any
//! lock, malloc's among them, may be held for ever by a thread that exists no more. Hence this
//! module's rule: everything is prepared before the fork, and [`Wiring::apply`] and what it calls
//! allocate nothing, lock nothing and cannot panic.
#![allow(unsafe_code)]

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::sync::Arc;

use nix::errno::Errno;
use nix::sys::prctl::set_pdeathsig;
use nix::sys::signal::{SigSet, Signal};
use nix::unistd::{Pid, getppid};
use rustix::fs::{CWD, Mode, OFlags};
use rustix::io::FdFlags;
use rustix::stdio::{dup2_stderr, dup2_stdin, dup2_stdout, stderr};

/// Where a standard stream of the target leads.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub enum Stream {
    /// Where the caller's own leads.
    #[default]
    Inherit,
    /// To `/dev/null`.
    Null,
    /// Where the target's standard error leads (for standard output: keeps the caller's free).
    Stderr,
    /// To this open file. For a pipe: the reader sees its end once the target *and every clone of
    /// this `Target`* are gone.
    Fd(Arc<OwnedFd>),
}

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
    Stream = 1,
    /// Clearing close-on-exec.
    Inherit,
    Signals,
    Directory,
    Filter,
    Exec,
}

impl Step {
    /// The step of this number, as a child sent it.
    pub(crate) fn from_number(number: i32) -> Option<Self> {
        use Step::{Directory, Exec, Filter, Inherit, Signals, Stream};
        let all = [Stream, Inherit, Signals, Directory, Filter, Exec];
        all.into_iter().find(|step| *step as i32 == number)
    }
}

impl Wiring {
    pub(super) fn new(
        streams: &[Stream; 3],
        inherited: &[Arc<OwnedFd>],
        unblock_signals: bool,
    ) -> Self {
        Self { streams: streams.clone(), inherited: inherited.to_vec(), unblock_signals }
    }

    /// Sets everything up in the calling process, a forked child before exec: the standard streams
    /// are replaced, whoever else uses them.
    pub(crate) fn apply(&self) -> Result<(), (Step, i32)> {
        // Standard error first: the others may refer to it.
        for number in [2, 0, 1] {
            let redirected = redirect(&self.streams[number as usize], number);
            redirected.map_err(|errno| (Step::Stream, errno.raw_os_error()))?;
        }
        for fd in &self.inherited {
            let cleared = rustix::io::fcntl_setfd(fd, FdFlags::empty());
            cleared.map_err(|errno| (Step::Inherit, errno.raw_os_error()))?;
        }
        if self.unblock_signals {
            let unblocked = SigSet::empty().thread_set_mask();
            unblocked.map_err(|errno| (Step::Signals, errno as i32))?;
        }
        Ok(())
    }

    /// Has `command` set everything up in its child.
    pub(super) fn attach(self, command: &mut Command, die_with_parent: bool) {
        let parent = nix::unistd::getpid();
        let set_up = move || {
            if die_with_parent {
                die_with(parent)?;
            }
            let applied = self.apply();
            applied.map_err(|(_, errno)| io::Error::from_raw_os_error(errno))
        };
        // SAFETY: the closure keeps to this module's rule: prctl, getppid, dup2, open, fcntl and
        // sigprocmask are async-signal-safe, `self` was built before the fork, and an
        // `io::Error` from an error number doesn't allocate.
        unsafe { command.pre_exec(set_up) };
    }
}

/// Makes `number`, a standard stream, refer to what `stream` says; whatever it referred to is
/// closed, whoever uses it.
fn redirect(stream: &Stream, number: i32) -> rustix::io::Result<()> {
    match stream {
        Stream::Inherit => Ok(()),
        Stream::Stderr => duplicate(stderr(), number),
        Stream::Fd(fd) => duplicate(fd.as_fd(), number),
        Stream::Null => {
            let flags = OFlags::RDWR | OFlags::CLOEXEC;
            let null = rustix::fs::openat(CWD, c"/dev/null", flags, Mode::empty())?;
            duplicate(null.as_fd(), number)?;
            if null.as_raw_fd() == number {
                // It is that stream now, and stays.
                std::mem::forget(null);
            }
            Ok(())
        }
    }
}

/// dup2, and a cleared close-on-exec flag even if both numbers are the same.
fn duplicate(from: BorrowedFd<'_>, to: i32) -> rustix::io::Result<()> {
    match to {
        _ if from.as_raw_fd() == to => rustix::io::fcntl_setfd(from, FdFlags::empty()),
        0 => dup2_stdin(from),
        1 => dup2_stdout(from),
        _ => dup2_stderr(from),
    }
}

/// Asks the kernel for SIGKILL when the parent's thread ends.
fn die_with(parent: Pid) -> io::Result<()> {
    set_pdeathsig(Signal::SIGKILL)?;
    // The parent may have ended before the wish was made; then nobody will ever send the signal.
    match getppid() == parent {
        true => Ok(()),
        false => Err(Errno::ECHILD.into()),
    }
}
