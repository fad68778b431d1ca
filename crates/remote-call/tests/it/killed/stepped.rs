//! Kills a caller right before one of its steps.
//!
//! # Safety
//! What follows a fork is one plain system call.

use std::os::unix::process::CommandExt;
use std::process::Command;

use nix::sys::ptrace::{self, Options};
use nix::sys::signal::Signal;
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

use super::Caller;

/// A request to a thread, a write to its memory, and the signal that waits for a call's end.
const STEPS: [i64; 3] = [libc::SYS_ptrace, libc::SYS_pwrite64, libc::SYS_tgkill];

/// The first thread's end is told once those of the others have been taken notice of.
fn kill(pid: Pid) {
    nix::sys::signal::kill(pid, Signal::SIGKILL).unwrap();
    let flags = WaitPidFlag::__WALL | WaitPidFlag::__WNOTHREAD;
    while waitpid(None, Some(flags)).unwrap() != WaitStatus::Signaled(pid, Signal::SIGKILL, false) {
    }
}

/// Starts a caller, and kills it before its `step`th system call that concerns the process it
/// holds. `false`: it took fewer steps and ended well.
pub(super) fn kill_before(step: usize, mut command: Command) -> bool {
    // SAFETY: ptrace(2) is a plain system call, fit for a forked child.
    unsafe { command.pre_exec(|| Ok(ptrace::traceme()?)) };
    let caller = Caller(command.spawn().unwrap());
    let pid = Pid::from_raw(caller.0.id() as i32);
    // It stands behind its exec.
    waitpid(pid, None).unwrap();
    let options =
        Options::PTRACE_O_TRACESYSGOOD | Options::PTRACE_O_TRACECLONE | Options::PTRACE_O_EXITKILL;
    ptrace::setoptions(pid, options).unwrap();
    ptrace::syscall(pid, None).unwrap();
    let mut steps = 0;
    loop {
        // The threads that this one traces and no other test's.
        let flags = WaitPidFlag::__WALL | WaitPidFlag::__WNOTHREAD;
        match waitpid(None, Some(flags)).unwrap() {
            WaitStatus::PtraceSyscall(tid) => {
                let registers = ptrace::getregs(tid).unwrap();
                let number = registers.orig_rax.cast_signed();
                // What the kernel leaves in `rax` until a call is done.
                let is_entry = registers.rax.cast_signed() == -i64::from(libc::ENOSYS);
                if is_entry && STEPS.contains(&number) {
                    steps += 1;
                    if steps == step {
                        // It doesn't come to this call any more.
                        kill(pid);
                        return true;
                    }
                }
                let _ = ptrace::syscall(tid, None);
            }
            WaitStatus::PtraceEvent(tid, ..) => ptrace::syscall(tid, None).unwrap(),
            WaitStatus::Stopped(tid, Signal::SIGSTOP | Signal::SIGTRAP) => {
                // How a new thread begins.
                ptrace::syscall(tid, None).unwrap();
            }
            WaitStatus::Stopped(tid, signal) => ptrace::syscall(tid, signal).unwrap(),
            WaitStatus::Exited(ended, code) if ended == pid => {
                assert_eq!(code, 0, "the caller failed");
                return false;
            }
            WaitStatus::Exited(..) => {}
            other => panic!("{other:?}"),
        }
    }
}
