//! Makes a stopped thread call the kernel and puts it back as it was.

use std::cell::Cell;
use std::io;

use super::{RemoteError, memory};
use proc_memory::{Mapping, Status};
use tracee::{Registers, Stop, SyscallInfo};

/// A stopped thread, ready to make system calls.
pub(super) struct Caller {
    tid: i32,
    /// As they were and shall be again.
    registers: Registers,
    signal_mask: u64,
    instruction: u64,
    /// A SIGSTOP was held back.
    stop_wanted: Cell<bool>,
}

impl Caller {
    /// Takes over a thread that stands still. Call [`release`](Self::release), whatever happens.
    pub(super) fn take(tid: i32, mappings: &[Mapping]) -> Result<Self, RemoteError> {
        let step = |step| move |source| failure(tid, step, source);
        let registers = tracee::registers(tid).map_err(step("read the registers"))?;
        let registers = registers.ok_or(RemoteError::Foreign { tid })?;
        let instruction = memory::syscall_instruction(tid, mappings)?;
        let signal_mask = tracee::signal_mask(tid).map_err(step("read the signal mask"))?;
        // A signal would be handled, or end a call, in the middle of what is done here.
        tracee::set_signal_mask(tid, u64::MAX).map_err(step("set the signal mask"))?;
        Ok(Self { tid, registers, signal_mask, instruction, stop_wanted: Cell::new(false) })
    }

    /// Has the thread make this call, and gives what the kernel left in `rax`.
    pub(super) fn call(&self, number: i64, args: [u64; 6]) -> Result<u64, RemoteError> {
        let tid = self.tid;
        let step = |step| move |source| failure(tid, step, source);
        let mut registers = self.registers;
        registers.rip = self.instruction;
        registers.rax = number as u64;
        // No call is under way, so there is none for the kernel to begin anew.
        registers.orig_rax = u64::MAX;
        let r = &mut registers;
        [r.rdi, r.rsi, r.rdx, r.r10, r.r8, r.r9] = args;
        tracee::set_registers(tid, &registers).map_err(step("set the registers"))?;
        let mut before = false;
        loop {
            // What signal it was about to get, it doesn't get.
            tracee::syscall(tid, 0).map_err(step("go on to the call"))?;
            let stop = loop {
                match tracee::take_stop(tid, 0).map_err(step("wait for the call"))? {
                    Some(Stop::Ended(_)) => return Err(RemoteError::Gone { tid }),
                    Some(stop) => break stop,
                    None => {}
                }
            };
            let info = tracee::syscall_info(tid).map_err(step("read the place"))?;
            match info.op {
                SyscallInfo::ENTRY | SyscallInfo::SECCOMP => before = true,
                SyscallInfo::EXIT if before => break,
                // SIGSTOP is the one signal that comes although it is blocked, and doesn't end it.
                0 if stop == Stop::Signal(libc::SIGSTOP) => self.stop_wanted.set(true),
                _ => {
                    let what = format!("an unexpected stop, {stop:?}");
                    return Err(failure(tid, "make a call", io::Error::other(what)));
                }
            }
        }
        let registers = tracee::registers(tid).map_err(step("read the registers"))?;
        registers.map(|registers| registers.rax).ok_or(RemoteError::Foreign { tid })
    }

    /// Puts the thread back where it stood.
    pub(super) fn release(self) -> Result<(), RemoteError> {
        let tid = self.tid;
        let step = |step| move |source| failure(tid, step, source);
        tracee::set_registers(tid, &self.registers).map_err(step("restore the registers"))?;
        tracee::set_signal_mask(tid, self.signal_mask).map_err(step("restore the signal mask"))?;
        if self.stop_wanted.into_inner() {
            stop_again(tid);
        }
        Ok(())
    }
}

/// Sends SIGSTOP to a thread that has not been waited for.
#[allow(unsafe_code, reason = "libc has no function for tkill(2)")]
fn stop_again(tid: i32) {
    // SAFETY: takes integers; fails only if the thread was killed.
    unsafe { libc::syscall(libc::SYS_tkill, tid, libc::SIGSTOP) };
}

/// A thread that was killed while it stood still answers no request any more.
fn failure(tid: i32, step: &'static str, source: io::Error) -> RemoteError {
    let gone = source.raw_os_error() == Some(libc::ESRCH) && is_ending(tid);
    if gone { RemoteError::Gone { tid } } else { RemoteError::of(tid, step, source) }
}

/// Whether a thread that answered no request has ended or is ending. One that the calling thread
/// traces stood still, so that it must have been killed; one that runs, or is somebody else's,
/// answers no request either.
fn is_ending(tid: i32) -> bool {
    let Ok(status) = Status::of(tid) else {
        return true;
    };
    // PID/task/TID
    let own = std::fs::read_link("/proc/thread-self").unwrap_or_default();
    let own = own.file_name().and_then(|tid| tid.to_str()?.parse().ok());
    let is_ours = status.tracer().is_some_and(|tracer| Some(tracer) == own);
    is_ours || status.has_ended()
}
