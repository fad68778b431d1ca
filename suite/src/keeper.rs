//! The keeper: runs the tests, and outlives them and whoever started them.
//!
//! # Safety
//! All of it runs before `main`, while the process has one thread, so that what it forks may do
//! whatever it could do itself.

use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::prctl;
use nix::sys::resource::{Resource, setrlimit};
use nix::sys::signal::{SigHandler, SigSet, Signal, kill, raise, signal};
use nix::sys::time::TimeSpec;
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{ForkResult, Pid, fork, getpgrp, getpid, getppid, setpgid};

use crate::place;
use crate::waiting::children;

/// How long tests may take.
const PATIENCE: Duration = Duration::from_secs(20 * 60);
/// How long it may take until a process that was killed is gone.
const KILLED: Duration = Duration::from_secs(20);
/// Exit status of tests that failed, as the test runner has it.
const FAILED: i32 = 101;

/// Returns in a process whose descendants end with it, and with the process that was started.
pub fn keep() {
    let (first, group) = (getpid(), getpgrp());
    // SAFETY: as above.
    match unsafe { fork() } {
        Ok(ForkResult::Parent { child }) => as_it_ended(wait_for(child)),
        Ok(ForkResult::Child) => keeper(first, group),
        Err(error) => eprintln!("suite: the tests run without a keeper: fork: {error}"),
    }
}

/// Returns in the process of the tests.
fn keeper(first: Pid, group: Pid) {
    // Out of reach of what is sent to the group of the tests: Ctrl-C, `timeout`, `kill -9 -PGID`.
    let _ = setpgid(Pid::from_raw(0), Pid::from_raw(0));
    use Signal::{SIGCHLD, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTTOU};
    let awaited = SigSet::from_iter([SIGCHLD, SIGTERM]);
    let blocked = SigSet::from_iter([SIGCHLD, SIGTERM, SIGHUP, SIGINT, SIGQUIT, SIGTTOU]);
    let ready = blocked
        .thread_block()
        .and_then(|()| prctl::set_child_subreaper(true))
        .and_then(|()| prctl::set_pdeathsig(SIGTERM));
    if let Err(error) = ready {
        eprintln!("suite: the tests run without a keeper: {error}");
    }
    if getppid() != first {
        exit(FAILED);
    }
    let scratch = place::scratch();
    let own = getpid();
    // SAFETY: as above.
    match unsafe { fork() } {
        Ok(ForkResult::Child) => {
            let _ = setpgid(Pid::from_raw(0), group);
            let _ = prctl::set_pdeathsig(Signal::SIGKILL);
            let _ = blocked.thread_unblock();
            if getppid() != own {
                exit(FAILED);
            }
            // The keeper's to remove.
            std::mem::forget(scratch);
            // SAFETY: as above.
            unsafe { std::env::set_var(crate::KEEPER, own.to_string()) };
        }
        Ok(ForkResult::Parent { child: tests }) => {
            let ended = until_the_end(tests, &awaited);
            end_what_is_left();
            drop(scratch);
            as_it_ended(ended)
        }
        Err(error) => {
            eprintln!("suite: fork: {error}");
            exit(FAILED)
        }
    }
}

/// Waits until the tests end, or may not go on: the process that was started is gone, or time is up.
fn until_the_end(tests: Pid, awaited: &SigSet) -> WaitStatus {
    let patience = std::env::var("SUITE_PATIENCE_SECONDS");
    let patience = patience.ok().and_then(|seconds| seconds.parse().ok());
    let patience = patience.map_or(PATIENCE, Duration::from_secs);
    let deadline = Instant::now() + patience;
    loop {
        // SIGCHLD says no more than that there is something to wait for: also what was adopted.
        while let Ok(status) = waitpid(None, Some(WaitPidFlag::WNOHANG)) {
            match status.pid() {
                Some(pid) if pid == tests => return status,
                Some(_) => {}
                None => break,
            }
        }
        let left = deadline.saturating_duration_since(Instant::now());
        match wait_for_signal(awaited, left) {
            Ok(libc::SIGTERM) => return WaitStatus::Exited(tests, FAILED),
            Err(Errno::EAGAIN) => {
                eprintln!("suite: not done after {} s, ended:", patience.as_secs());
                tell(tests.as_raw(), 1);
                return WaitStatus::Exited(tests, FAILED);
            }
            _ => {}
        }
    }
}

/// Says what a process is about, and what its descendants are. A test's thread has the test's name.
fn tell(pid: i32, depth: usize) {
    let command = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let command = String::from_utf8_lossy(&command).replace('\0', " ");
    let threads: Vec<_> = std::fs::read_dir(format!("/proc/{pid}/task"))
        .into_iter()
        .flatten()
        .filter_map(|thread| std::fs::read_to_string(thread.ok()?.path().join("comm")).ok())
        .map(|name| name.trim().to_owned())
        .collect();
    eprintln!("{:1$}{pid} {command}: {2}", "", depth * 2, threads.join(", "));
    for child in children(pid) {
        tell(child, depth + 1);
    }
}

/// Kills children until there are none: theirs are adopted as they go.
fn end_what_is_left() {
    let deadline = Instant::now() + KILLED;
    while Instant::now() < deadline {
        for child in children(getpid().as_raw()) {
            let _ = kill(Pid::from_raw(child), Signal::SIGKILL);
        }
        match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
            Err(_) => return,
            Ok(WaitStatus::StillAlive) => std::thread::sleep(Duration::from_millis(1)),
            Ok(_) => {}
        }
    }
    eprintln!("suite: can't be ended:");
    tell(getpid().as_raw(), 1);
}

fn wait_for(child: Pid) -> WaitStatus {
    loop {
        match waitpid(child, None) {
            Err(Errno::EINTR) => {}
            Err(_) => return WaitStatus::Exited(child, FAILED),
            Ok(status) => return status,
        }
    }
}

/// Waits for one of these signals, and takes it.
fn wait_for_signal(signals: &SigSet, patience: Duration) -> nix::Result<i32> {
    let patience = TimeSpec::from_duration(patience);
    // SAFETY: reads a set and a time that outlive the call; nothing is wanted about the sender.
    Errno::result(unsafe {
        libc::sigtimedwait(signals.as_ref(), std::ptr::null_mut(), patience.as_ref())
    })
}

/// Ends this process in the same way.
fn as_it_ended(status: WaitStatus) -> ! {
    match status {
        WaitStatus::Exited(_, code) => exit(code),
        WaitStatus::Signaled(_, by, _) => {
            // The core is the other's.
            let _ = setrlimit(Resource::RLIMIT_CORE, 0, 0);
            // SAFETY: no handler is set by this.
            let _ = unsafe { signal(by, SigHandler::SigDfl) };
            let _ = raise(by);
            let _ = SigSet::from(by).thread_unblock();
            exit(128 + by as i32)
        }
        _ => exit(FAILED),
    }
}

/// Without what is registered to be done at the end of the tests.
fn exit(code: i32) -> ! {
    // SAFETY: takes a number; nothing here waits to be written.
    unsafe { libc::_exit(code) }
}
