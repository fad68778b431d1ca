//! The requests to a traced thread.
//!
//! # Safety
//! ptrace reads and writes the *caller's* memory only where a request takes a pointer; each
//! function below that passes one says what it points to. A request for a thread that isn't
//! stopped, or isn't traced by the calling thread, fails with `ESRCH` and does nothing.
#![allow(unsafe_code)]

use std::io;
use std::mem::MaybeUninit;

use nix::sys::ptrace::Options;
use nix::unistd::Pid;

/// General registers, as `struct user_regs_struct` of x86-64 has them.
pub(super) type Registers = libc::user_regs_struct;

const NT_PRSTATUS: usize = 1;
const NT_X86_XSTATE: usize = 0x202;

/// `PTRACE_GETSIGMASK`, `PTRACE_SETSIGMASK` and `PTRACE_GET_RSEQ_CONFIGURATION`
/// (`linux/ptrace.h`), which libc lacks for some C libraries.
const GET_SIGNAL_MASK: u32 = 0x420a;
const SET_SIGNAL_MASK: u32 = 0x420b;
const GET_RSEQ_CONFIGURATION: u32 = 0x420f;

/// Size of the kernel's own signal set, in bytes.
const SIGNAL_SET_BYTES: usize = 8;

/// More than any processor's XSAVE area has (11 KiB with AMX).
const XSAVE_MAXIMUM_BYTES: usize = 64 << 10;

/// Becomes the tracer of a thread, which runs on.
pub(super) fn seize(tid: i32) -> io::Result<()> {
    let options = Options::PTRACE_O_TRACESYSGOOD;
    Ok(nix::sys::ptrace::seize(Pid::from_raw(tid), options)?)
}

/// Asks a thread to stop as soon as it can. One that has stopped already stops again as soon as it
/// goes on, before any instruction of its program.
pub(super) fn interrupt(tid: i32) -> io::Result<()> {
    Ok(nix::sys::ptrace::interrupt(Pid::from_raw(tid))?)
}

/// Lets a thread run on until something stops it, with this signal or 0.
pub(super) fn go_on(tid: i32, signal: i32) -> io::Result<()> {
    resume(libc::PTRACE_CONT, tid, signal)
}

/// The same, and until it is before or behind a system call.
pub(super) fn go_on_to_call(tid: i32, signal: i32) -> io::Result<()> {
    resume(libc::PTRACE_SYSCALL, tid, signal)
}

/// Lets a stopped thread go.
pub(super) fn detach(tid: i32) -> io::Result<()> {
    resume(libc::PTRACE_DETACH, tid, 0)
}

fn resume(request: libc::c_uint, tid: i32, signal: i32) -> io::Result<()> {
    // SAFETY: none of the three requests takes a pointer.
    check(unsafe { libc::ptrace(request as _, tid, 0_usize, signal as usize) })
}

/// Registers of a stopped thread; `None` if it runs 32-bit code.
pub(super) fn registers(tid: i32) -> io::Result<Option<Registers>> {
    let mut registers = MaybeUninit::<Registers>::zeroed();
    let mut window = libc::iovec {
        iov_base: registers.as_mut_ptr().cast(),
        iov_len: size_of::<Registers>(),
    };
    // SAFETY: GETREGSET writes at most `iov_len` bytes to `iov_base`, which is that large, and the
    // number of bytes written to `iov_len`.
    let result = unsafe { libc::ptrace(libc::PTRACE_GETREGSET, tid, NT_PRSTATUS, &raw mut window) };
    check(result)?;
    if window.iov_len != size_of::<Registers>() {
        return Ok(None);
    }
    // SAFETY: made of integers, zeroed and then written by the kernel.
    Ok(Some(unsafe { registers.assume_init() }))
}

/// Registers that all hold 0.
#[cfg(test)]
pub(super) fn none() -> Registers {
    // SAFETY: made of integers.
    unsafe { MaybeUninit::zeroed().assume_init() }
}

/// In the order of unwind tables.
///
/// # References
///
/// System V ABI for AMD64, figure 3.36, “DWARF Register Number Mapping”
pub(super) fn by_unwind_number(registers: &Registers) -> [u64; 17] {
    [
        registers.rax,
        registers.rdx,
        registers.rcx,
        registers.rbx,
        registers.rsi,
        registers.rdi,
        registers.rbp,
        registers.rsp,
        registers.r8,
        registers.r9,
        registers.r10,
        registers.r11,
        registers.r12,
        registers.r13,
        registers.r14,
        registers.r15,
        registers.rip,
    ]
}

/// Gives a stopped thread these registers.
pub(super) fn set_registers(tid: i32, registers: &Registers) -> io::Result<()> {
    let mut window = libc::iovec {
        // The kernel only reads; the type is shared with requests that write.
        iov_base: std::ptr::from_ref(registers).cast_mut().cast(),
        iov_len: size_of::<Registers>(),
    };
    // SAFETY: SETREGSET reads `iov_len` bytes from `iov_base`, which has them.
    check(unsafe { libc::ptrace(libc::PTRACE_SETREGSET, tid, NT_PRSTATUS, &raw mut window) })
}

/// Floating point and vector registers of a stopped thread: its whole XSAVE area, in the standard
/// format.
pub(super) fn vectors(tid: i32) -> io::Result<Vec<u8>> {
    let mut area = vec![0_u8; XSAVE_MAXIMUM_BYTES];
    let mut window = libc::iovec {
        iov_base: area.as_mut_ptr().cast(),
        iov_len: area.len(),
    };
    // SAFETY: GETREGSET writes at most `iov_len` bytes to `iov_base`, which is that large, and the
    // number of bytes written to `iov_len`.
    let result =
        unsafe { libc::ptrace(libc::PTRACE_GETREGSET, tid, NT_X86_XSTATE, &raw mut window) };
    check(result)?;
    area.truncate(window.iov_len);
    Ok(area)
}

/// Gives a stopped thread these, as [`vectors`] gave them.
pub(super) fn set_vectors(tid: i32, area: &[u8]) -> io::Result<()> {
    let mut window = libc::iovec {
        // The kernel only reads; the type is shared with requests that write.
        iov_base: area.as_ptr().cast_mut().cast(),
        iov_len: area.len(),
    };
    // SAFETY: SETREGSET reads `iov_len` bytes from `iov_base`, which has them.
    check(unsafe { libc::ptrace(libc::PTRACE_SETREGSET, tid, NT_X86_XSTATE, &raw mut window) })
}

/// The signals that a stopped thread blocks; within a call such as ppoll(2), which has a mask of
/// its own, those that it will block afterwards.
pub(super) fn signal_mask(tid: i32) -> io::Result<u64> {
    let mut mask = 0_u64;
    // SAFETY: writes as many bytes as the third argument says, which `mask` has.
    check(unsafe { libc::ptrace(GET_SIGNAL_MASK as _, tid, SIGNAL_SET_BYTES, &raw mut mask) })?;
    Ok(mask)
}

/// Has a stopped thread block these signals; SIGKILL and SIGSTOP can't be.
pub(super) fn set_signal_mask(tid: i32, mask: u64) -> io::Result<()> {
    // SAFETY: reads as many bytes as the third argument says, which `mask` has.
    check(unsafe { libc::ptrace(SET_SIGNAL_MASK as _, tid, SIGNAL_SET_BYTES, &raw const mask) })
}

/// Where a signal that a thread is about to get comes from.
#[derive(Clone, Copy, Debug)]
pub(super) struct Origin {
    pub(super) code: i32,
    /// Its sender; meaningful only if it was sent.
    pub(super) pid: i32,
}

/// Of the signal that a thread is about to get.
pub(super) fn origin(tid: i32) -> io::Result<Origin> {
    let info = nix::sys::ptrace::getsiginfo(Pid::from_raw(tid))?;
    Ok(Origin {
        code: info.si_code,
        // SAFETY: an integer at this place of every siginfo_t, whatever it means.
        pid: unsafe { info.si_pid() },
    })
}

/// The address of a stopped thread's `struct rseq`; `None` if it has registered none.
///
/// # Errors
///
/// `EIO` before Linux 5.13, which doesn't tell.
pub(super) fn restartable_sequences(tid: i32) -> io::Result<Option<u64>> {
    // Pointer, size, signature, flags, padding: `struct ptrace_rseq_configuration`.
    let mut configuration = [0_u64; 3];
    // SAFETY: writes at most as many bytes as the third argument says, which there are.
    let result = unsafe {
        libc::ptrace(
            GET_RSEQ_CONFIGURATION as _,
            tid,
            size_of_val(&configuration),
            configuration.as_mut_ptr(),
        )
    };
    check(result)?;
    Ok(Some(configuration[0]).filter(|&address| address != 0))
}

/// What waitid(2) tells of one thread: `si_code` and `si_status`; `None` if there is nothing now.
pub(super) fn report(tid: i32, options: i32) -> io::Result<Option<(i32, i32)>> {
    let mut info = MaybeUninit::<libc::siginfo_t>::zeroed();
    let options = options | libc::WNOHANG | libc::__WALL | libc::__WNOTHREAD;
    // SAFETY: writes one siginfo_t to `info`.
    let result =
        unsafe { libc::waitid(libc::P_PID, tid as libc::id_t, info.as_mut_ptr(), options) };
    check(result.into())?;
    // SAFETY: zeroed, which is valid, and then written by the kernel or left so.
    let info = unsafe { info.assume_init() };
    // SAFETY: waitid fills this field in, or nothing, and then it is 0.
    let pid = unsafe { info.si_pid() };
    // SAFETY: the same.
    let status = unsafe { info.si_status() };
    Ok((pid != 0).then_some((info.si_code, status)))
}

fn check(result: libc::c_long) -> io::Result<()> {
    if result == -1 {
        Err(io::Error::last_os_error())
    } else {
        Ok(())
    }
}
