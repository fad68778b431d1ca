//! Makes a stopped thread call the kernel and puts it back as it was.

use std::cell::Cell;
use std::io;

use super::RemoteError;
use super::memory::{self, Mapping};
use super::ptrace::{self, Place, Registers};

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
        let registers = ptrace::registers(tid).map_err(step("read the registers"))?;
        let registers = registers.ok_or(RemoteError::Foreign { tid })?;
        let instruction = memory::syscall_instruction(tid, mappings)?;
        let signal_mask = ptrace::signal_mask(tid).map_err(step("read the signal mask"))?;
        // A signal would be handled, or end a call, in the middle of what is done here.
        ptrace::set_signal_mask(tid, u64::MAX).map_err(step("set the signal mask"))?;
        Ok(Self {
            tid,
            registers,
            signal_mask,
            instruction,
            stop_wanted: Cell::new(false),
        })
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
        [
            registers.rdi,
            registers.rsi,
            registers.rdx,
            registers.r10,
            registers.r8,
            registers.r9,
        ] = args;
        ptrace::set_registers(tid, &registers).map_err(step("set the registers"))?;
        let mut before = false;
        loop {
            ptrace::go_on_to_call(tid).map_err(step("go on to the call"))?;
            let stop = ptrace::wait_for_stop(tid).map_err(step("wait for the call"))?;
            let status = stop.ok_or(RemoteError::Gone { tid })?;
            match ptrace::place(tid).map_err(step("read the place"))? {
                Place::Before => before = true,
                Place::Behind if before => break,
                // SIGSTOP is the one signal that comes although it is blocked, and doesn't end it.
                Place::Elsewhere if status == libc::SIGSTOP => self.stop_wanted.set(true),
                _ => {
                    let what = format!("an unexpected stop, {status:#x}");
                    return Err(failure(tid, "make a call", io::Error::other(what)));
                }
            }
        }
        let registers = ptrace::registers(tid).map_err(step("read the registers"))?;
        registers
            .map(|registers| registers.rax)
            .ok_or(RemoteError::Foreign { tid })
    }

    /// Puts the thread back where it stood.
    pub(super) fn release(self) -> Result<(), RemoteError> {
        let tid = self.tid;
        let step = |step| move |source| failure(tid, step, source);
        ptrace::set_registers(tid, &self.registers).map_err(step("restore the registers"))?;
        ptrace::set_signal_mask(tid, self.signal_mask).map_err(step("restore the signal mask"))?;
        if self.stop_wanted.into_inner() {
            ptrace::stop_again(tid);
        }
        Ok(())
    }
}

/// A thread that was killed while it stood still answers no request any more.
fn failure(tid: i32, step: &'static str, source: io::Error) -> RemoteError {
    let gone = source.raw_os_error() == Some(libc::ESRCH) && is_ending(tid);
    if gone {
        RemoteError::Gone { tid }
    } else {
        RemoteError::of(tid, step, source)
    }
}

/// Whether a thread that answered no request has ended or is ending. One that the calling thread
/// traces stood still, so that it must have been killed; one that runs, or is somebody else's,
/// answers no request either.
fn is_ending(tid: i32) -> bool {
    let Ok(status) = std::fs::read(format!("/proc/{tid}/status")) else {
        return true;
    };
    let field = |name: &str| {
        let mut lines = status.split(|byte| *byte == b'\n');
        let value = lines.find_map(|line| line.strip_prefix(name.as_bytes()));
        value.unwrap_or_default().trim_ascii()
    };
    // PID/task/TID
    let own = std::fs::read_link("/proc/thread-self").unwrap_or_default();
    let is_ours = own.file_name().map(|tid| tid.as_encoded_bytes()) == Some(field("TracerPid:"));
    is_ours || matches!(field("State:").first(), None | Some(b'Z' | b'X'))
}

/// The error number in what a call returned: the kernel's 4,095 highest values.
pub(super) fn error_number(returned: u64) -> Option<i32> {
    let value = returned as i64;
    (-4095..0).contains(&value).then_some(-value as i32)
}
