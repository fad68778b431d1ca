//! Takes hold of all threads of a running process by ptrace, and lets them go.
//!
//! # Safety
//! The calls of [`sentinel`] and its child take numbers.
#![allow(unsafe_code)]

use std::collections::HashSet;
use std::io;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use nix::unistd::{getppid, pause};

use super::{AttachError, process_status};
use crate::launch::kill_unreaped;
use proc_memory::Stat;
use tracee::{Options, Stop};

/// Makes the calling thread the tracer of every thread of `pid`, until a look at the list finds
/// nobody new. They run on. Those that they make are traced as well.
pub(super) fn seize_all(pid: i32) -> Result<HashSet<i32>, AttachError> {
    let options = Options::PTRACE_O_TRACESYSGOOD
        | Options::PTRACE_O_TRACEFORK
        | Options::PTRACE_O_TRACEVFORK
        | Options::PTRACE_O_TRACECLONE
        | Options::PTRACE_O_TRACEEXEC;
    // Each look takes hold of some, or finds that some have come and gone.
    const LOOKS: usize = 10_000;
    let mut held = HashSet::new();
    let mut settled = false;
    let mut moving = Vec::new();
    for _ in 0..LOOKS {
        let (threads, whole) = tracee::threads(pid);
        let mut refusal = None;
        let mut unsettled = !whole;
        for tid in threads {
            if held.contains(&tid) {
                continue;
            }
            match tracee::seize(tid, options) {
                Err(error) => {
                    let gone = error.raw_os_error() == Some(libc::ESRCH);
                    // Made by a thread that is held, so held already; or an ended first thread.
                    if tracee::is_traced_here(tid) {
                        held.insert(tid);
                    } else if gone {
                        unsettled = true;
                    } else if runs(pid, tid) {
                        refusal = Some(error);
                    } else if tid != pid {
                        // It has ended, but what it made may not have been in this list. An ended
                        // first thread stays in it.
                        unsettled = true;
                    }
                }
                Ok(()) => {
                    let _ = tracee::interrupt(tid);
                    held.insert(tid);
                    moving.push(tid);
                    unsettled = true;
                }
            }
        }
        if let Some(refusal) = refusal {
            process_status::check(pid)?;
            process_status::check_untraced(pid)?;
            return Err(AttachError::refused(pid, "PTRACE_SEIZE", refusal));
        }
        if unsettled {
            continue;
        }
        if moving.is_empty() {
            settled = true;
            break;
        }
        wait_for_stops(std::mem::take(&mut moving));
    }
    if !settled {
        return Err(AttachError::Restless {
            pid,
            reason: format!("{LOOKS} looks at its threads found new ones each time"),
        });
    }
    if held.is_empty() {
        process_status::check(pid)?;
        return Err(AttachError::NoSuchProcess { pid });
    }
    Ok(held)
}

/// Waits until they have stopped or ended, but for reports that may be long in coming. One that was seized
/// in the midst of clone(2) makes a thread that isn't traced (`kernel_clone` in Linux's `kernel/fork.c`
/// asks for a tracer first), and that is in the list once its maker has stopped.
fn wait_for_stops(mut moving: Vec<i32>) {
    const LONGEST: Duration = Duration::from_millis(100);
    let deadline = Instant::now() + LONGEST;
    let options = libc::WEXITED | libc::WSTOPPED | libc::WNOHANG | libc::WNOWAIT;
    while !moving.is_empty() && Instant::now() < deadline {
        moving.retain(|&tid| matches!(tracee::report(tid, options), Ok(None)));
        std::thread::sleep(Duration::from_micros(100));
    }
}

/// Lets a thread go that is known to have stopped for this reason.
pub(super) fn let_go(tid: i32, stop: Stop) {
    // It can only fail because the thread was killed.
    let _ = match stop {
        Stop::Signal(signal) => tracee::detach(tid, signal),
        _ => tracee::detach(tid, 0),
    };
}

/// How long is waited for threads to stop. Most do at once; one that the kernel doesn't let run, on
/// a busy machine, takes its time.
const PATIENCE: Duration = Duration::from_secs(5);

/// Stops all the threads and waits until they stand still, not longer than five seconds. Gives what
/// stopped each; those that made others are followed.
pub(super) fn freeze(held: &mut HashSet<i32>) -> Vec<(i32, Stop)> {
    let mut stopped: Vec<(i32, Stop)> = Vec::new();
    let deadline = Instant::now() + PATIENCE;
    while stopped.len() < held.len() && Instant::now() < deadline {
        match tracee::try_wait_any() {
            Ok(Some((tid, status))) => match Stop::of_wait_status(status) {
                Stop::Ended(_) => {
                    held.remove(&tid);
                }
                stop => {
                    if stop == Stop::NewTask
                        && let Ok(child) = tracee::event_message(tid)
                    {
                        held.insert(child);
                    }
                    held.insert(tid);
                    stopped.retain(|(other, _)| *other != tid);
                    stopped.push((tid, stop));
                }
            },
            _ => std::thread::sleep(Duration::from_micros(200)),
        }
    }
    stopped
}

/// Lets those go that did not stop in time. Not for longer than a second; the kernel lets go of
/// the rest when this thread ends.
pub(super) fn release(mut held: HashSet<i32>) {
    let deadline = Instant::now() + Duration::from_secs(1);
    while !held.is_empty() && Instant::now() < deadline {
        match tracee::try_wait_any() {
            Ok(Some((tid, status))) => {
                held.remove(&tid);
                let_go(tid, Stop::of_wait_status(status));
            }
            _ => std::thread::sleep(Duration::from_micros(200)),
        }
    }
}

/// A child that does nothing until it is killed; its end, unlike a signal, wakes nobody else in
/// this process. It ends with the thread that made it.
pub(super) fn sentinel() -> io::Result<(i32, OwnedFd)> {
    let parent = std::process::id() as i32;
    // No exit signal, so that no handler of the host's runs and no wait of the host's reaps it.
    // SAFETY: without CLONE_VM a fork; the child only calls `watch_over`, which allocates nothing.
    let pid =
        unsafe { libc::syscall(libc::SYS_clone, 0_usize, 0_usize, 0_usize, 0_usize, 0_usize) };
    match pid {
        -1 => Err(io::Error::last_os_error()),
        0 => watch_over(parent),
        pid => {
            let pid = pid as i32;
            match proc_memory::pidfd_open(pid) {
                Ok(handle) => Ok((pid, handle)),
                Err(error) => {
                    kill_unreaped(pid);
                    Err(error)
                }
            }
        }
    }
}

fn watch_over(parent: i32) -> ! {
    let _ = nix::sys::prctl::set_pdeathsig(Signal::SIGKILL);
    if getppid().as_raw() != parent {
        // SAFETY: ends this child at once.
        unsafe { libc::_exit(0) };
    }
    // What the host has open must not stay so because of this copy.
    // SAFETY: in this child nobody uses a descriptor.
    unsafe { libc::syscall(libc::SYS_close_range, 0_usize, u32::MAX as usize, 0_usize) };
    loop {
        pause();
    }
}

/// Whether a thread is there and hasn't ended.
fn runs(pid: i32, tid: i32) -> bool {
    Stat::of_thread(pid, tid).is_some_and(|stat| !matches!(stat.state, b'Z' | b'X'))
}
