//! The child between fork and exec.
//!
//! `Command::spawn` can't be used: it waits for the exec, while the child has to wait for its
//! tracer before the exec. So the child is forked by hand, waits on a socket until it is traced,
//! installs the filter and executes the program. The same socket tells why it could not; the exec
//! closes it.
//!
//! # Safety
//! After a fork in a program with threads the child may only make async-signal-safe calls.
//! [`Prepared`] holds all it needs, [`run`] allocates nothing, locks nothing and can't panic.
#![allow(unsafe_code)]

use std::convert::Infallible;
use std::ffi::{CString, c_char};
use std::io::{self, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::ptr::null;

use nix::errno::Errno;
use nix::sys::signal::SigSet;
use nix::unistd::{ForkResult, chdir};

use super::LaunchError;
use super::filter::{self, Installed};
use super::prepared::Prepared;
use crate::target::Step;

/// A child that waits to be told to go on.
#[derive(Debug)]
pub(crate) struct ForkedChild {
    pub(crate) pid: i32,
    socket: UnixStream,
}

/// What a child said before its program began.
#[derive(Debug, Default)]
pub(super) struct Words {
    pub(super) no_new_privileges: bool,
    pub(super) failure: Option<(Step, i32)>,
}

/// First half of a message that isn't a [`Step`].
const NO_NEW_PRIVILEGES: i32 = 0;

/// Forks the child. It gets the given signal mask before its exec, and exits if this process ends
/// before it was told to go on.
pub(crate) fn fork(prepared: &Prepared, mask: SigSet) -> Result<ForkedChild, LaunchError> {
    let failed = LaunchError::setup;
    let (ours, its) = UnixStream::pair().map_err(failed("make a socket for the child"))?;
    ours.set_nonblocking(true).map_err(failed("make a socket for the child"))?;
    let plan = Plan {
        prepared,
        argv: pointers([c"".as_ptr(), c"".as_ptr()], &prepared.argv),
        environment: pointers([], &prepared.environment),
        mask,
        ours,
        its,
    };
    // SAFETY: the child only calls `run`, which keeps to this module's rule and never returns.
    match unsafe { nix::unistd::fork() } {
        Err(errno) => Err(failed("fork")(errno.into())),
        // SAFETY: this is the forked child.
        Ok(ForkResult::Child) => unsafe { run(plan) },
        Ok(ForkResult::Parent { child }) => {
            Ok(ForkedChild { pid: child.as_raw(), socket: plan.ours })
        }
    }
}

impl ForkedChild {
    /// Lets the child go on to its exec.
    pub(crate) fn go(&mut self) -> io::Result<()> {
        self.socket.write_all(b"!")
    }

    /// Why the child could not execute its program; waits until it has, or ends.
    #[cfg(feature = "attach")]
    pub(crate) fn last_words(&mut self) -> Option<(Step, i32)> {
        // It fails for no socket.
        let _ = self.socket.set_nonblocking(false);
        self.words().failure
    }

    /// What the child has said so far.
    pub(super) fn words(&mut self) -> Words {
        let mut words = Words::default();
        let mut message = [0; 8];
        // Ends when there is nothing more (would block), or nothing will ever come.
        while self.socket.read_exact(&mut message).is_ok() {
            let [a, b, c, d, errno @ ..] = message;
            match i32::from_ne_bytes([a, b, c, d]) {
                NO_NEW_PRIVILEGES => words.no_new_privileges = true,
                step => {
                    let step = Step::from_number(step);
                    words.failure = step.map(|step| (step, i32::from_ne_bytes(errno)));
                }
            }
        }
        words
    }
}

/// What [`run`] works through, with the pointer lists that exec wants.
struct Plan<'a> {
    prepared: &'a Prepared,
    argv: Vec<*const c_char>,
    environment: Vec<*const c_char>,
    mask: SigSet,
    ours: UnixStream,
    its: UnixStream,
}

/// The child's whole life before its program.
///
/// # Safety
/// To be called in a freshly forked child only: it closes descriptors, changes handlers, mask,
/// streams and directory of the process, and never returns.
unsafe fn run(mut plan: Plan<'_>) -> ! {
    // As long as this copy of the parent's end is open, the child would not see the parent's end.
    // SAFETY: in this process nobody else uses that descriptor.
    unsafe { libc::close(plan.ours.as_raw_fd()) };
    if wait_for_go(&plan.its) {
        let Err((step, errno)) = prepare_and_exec(&mut plan);
        say(&plan.its, step as i32, errno);
    }
    // SAFETY: ends the process at once, without running anything of the parent's at its exit.
    unsafe { libc::_exit(127) }
}

fn prepare_and_exec(plan: &mut Plan<'_>) -> Result<Infallible, (Step, i32)> {
    let prepared = plan.prepared;
    default_handlers();
    let _ = plan.mask.thread_set_mask();
    prepared.wiring.apply()?;
    if let Some((_, directory)) = &prepared.directory {
        chdir(&**directory).map_err(|errno| (Step::Directory, errno as i32))?;
    }
    if let Some(filter) = &prepared.filter {
        let installed = filter::install(filter);
        if installed.map_err(|errno| (Step::Filter, errno as i32))?
            == Installed::WithNoNewPrivileges
        {
            say(&plan.its, NO_NEW_PRIVILEGES, 0);
        }
    }
    Err((Step::Exec, exec(plan)))
}

/// Tries all candidates as `execvp` does, so that traced and untraced runs find the same file.
/// Returns the error number that matters.
///
/// # References
/// execvp(3)
fn exec(plan: &mut Plan<'_>) -> i32 {
    let (mut outcome, mut denied) = (libc::ENOENT, false);
    for file in &plan.prepared.candidates {
        outcome = execve(file.as_ptr(), &plan.argv[2..], &plan.environment);
        match outcome {
            libc::EACCES => denied = true,
            libc::ENOENT | libc::ENOTDIR | libc::ESTALE | libc::ENODEV | libc::ETIMEDOUT => {}
            libc::ENOEXEC => {
                // A script without `#!`: `sh FILE ARGUMENTS`. The file takes the place of the
                // first argument, the shell's own name that of the one before.
                plan.argv[1] = c"/bin/sh".as_ptr();
                plan.argv[2] = file.as_ptr();
                return execve(c"/bin/sh".as_ptr(), &plan.argv[1..], &plan.environment);
            }
            _ => return outcome,
        }
    }
    if denied { libc::EACCES } else { outcome }
}

/// Returns only if it fails.
fn execve(file: *const c_char, argv: &[*const c_char], environment: &[*const c_char]) -> i32 {
    // SAFETY: all three point to C strings, or to lists of such that end in null (`pointers`),
    // which live as long as the plan.
    unsafe { libc::execve(file, argv.as_ptr(), environment.as_ptr()) };
    Errno::last_raw()
}

/// The parent's handlers must not run in the child: those that aren't ignored get the default
/// action, which an exec gives them in any case. SIGPIPE does also if it is ignored, as Rust's
/// runtime ignores it and programs don't expect that.
fn default_handlers() {
    for signal in 1..=libc::SIGRTMAX() {
        let mut action = std::mem::MaybeUninit::<libc::sigaction>::zeroed();
        // SAFETY: writes the present action; fails for numbers that aren't signals.
        let result = unsafe { libc::sigaction(signal, null(), action.as_mut_ptr()) };
        // SAFETY: a struct of integers, a set and an optional pointer, valid when all are zero,
        // and written by the kernel if the call succeeded.
        let mut action = unsafe { action.assume_init() };
        let ignored = action.sa_sigaction == libc::SIG_IGN && signal != libc::SIGPIPE;
        if result == -1 || action.sa_sigaction == libc::SIG_DFL || ignored {
            continue;
        }
        action.sa_sigaction = libc::SIG_DFL;
        // SAFETY: the default action refers to no code.
        unsafe { libc::sigaction(signal, &action, std::ptr::null_mut()) };
    }
}

/// False if the parent is gone.
fn wait_for_go(socket: &UnixStream) -> bool {
    loop {
        match nix::unistd::read(socket, &mut [0]) {
            Err(Errno::EINTR) => {}
            read => return read == Ok(1),
        }
    }
}

/// Sends a message of two numbers; if the parent is gone, nobody needs it.
fn say(socket: &UnixStream, first: i32, second: i32) {
    let mut message = [0; 8];
    message[..4].copy_from_slice(&first.to_ne_bytes());
    message[4..].copy_from_slice(&second.to_ne_bytes());
    let _ = nix::unistd::write(socket, &message);
}

/// A list as exec wants it: the given first pointers, one to each string, and a null.
fn pointers<const N: usize>(first: [*const c_char; N], strings: &[CString]) -> Vec<*const c_char> {
    let strings = strings.iter().map(|string| string.as_ptr());
    first.into_iter().chain(strings).chain([null()]).collect()
}
