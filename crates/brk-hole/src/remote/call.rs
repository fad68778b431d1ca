//! Makes a stopped thread call the kernel and puts it back as it was.

use std::cell::Cell;
use std::fs::File;
use std::io;
use std::ops::Range;

use proc_memory::{Mapping, Mappings, Status};
use tracee::{Registers, Stop, SyscallInfo};

use super::RemoteError;

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
        let instruction = syscall_instruction(tid, mappings)?;
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

/// `syscall` on x86-64.
const SYSCALL: [u8; 2] = [0x0f, 0x05];

/// All mappings of a thread's process, lowest first.
///
/// # References
/// proc_pid_maps(5)
pub(super) fn mappings(tid: i32) -> Result<Vec<Mapping>, RemoteError> {
    let failed = |source| RemoteError::of(tid, "read the mappings", source);
    let maps = File::open(format!("/proc/{tid}/maps")).map_err(failed)?;
    let mut mappings = Mappings::of_list(maps);
    let list = mappings.listed();
    let list = list.map_err(|error| failed(io::Error::other(error)))?;
    match list.is_empty() {
        true => Err(RemoteError::Gone { tid }),
        false => Ok(list.to_vec()),
    }
}

/// The address of a `syscall` instruction that the process may execute: in the vdso if there is
/// one, else wherever the first is found. Every program has one somewhere, or it could not end.
pub(super) fn syscall_instruction(tid: i32, mappings: &[Mapping]) -> Result<u64, RemoteError> {
    let failed = |source| RemoteError::of(tid, "read the memory", source);
    let memory = File::open(format!("/proc/{tid}/mem")).map_err(failed)?;
    let executable = || mappings.iter().filter(|one| one.permissions.execute);
    let is_vdso = |mapping: &&Mapping| *mapping.name == *b"[vdso]";
    let first = executable().filter(is_vdso);
    let rest = executable().filter(|mapping| !is_vdso(mapping));
    first
        .chain(rest)
        .find_map(|mapping| find_in(&memory, &(mapping.start..mapping.end)))
        .ok_or(RemoteError::NoInstruction { tid })
}

fn find_in(memory: &File, range: &Range<u64>) -> Option<u64> {
    let found = |address, bytes: &[u8]| (bytes == SYSCALL).then_some(address);
    tracee::find_in_memory(memory, range, SYSCALL.len(), found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_instruction_is_found_across_a_border_and_in_the_last_bytes() {
        use std::io::Write;
        // What is read at once.
        const PIECE_BYTES: u64 = 256 << 10;
        for offset in [0, 5, PIECE_BYTES - 1, PIECE_BYTES, 2 * PIECE_BYTES - 2] {
            let mut bytes = vec![0x90; 2 * PIECE_BYTES as usize];
            bytes[offset as usize..][..2].copy_from_slice(&SYSCALL);
            let path = std::env::temp_dir().join(format!("brk-hole-{}", std::process::id()));
            File::create(&path).unwrap().write_all(&bytes).unwrap();
            let file = File::open(&path).unwrap();
            std::fs::remove_file(&path).unwrap();
            let found = find_in(&file, &(0..bytes.len() as u64));
            assert_eq!(found, Some(offset));
        }
    }

    #[test]
    #[cfg(target_arch = "x86_64")]
    fn this_process_has_one() {
        let tid = std::process::id() as i32;
        let mappings = mappings(tid).unwrap();
        assert!(syscall_instruction(tid, &mappings).is_ok());
    }
}
