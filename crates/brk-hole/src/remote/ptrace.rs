//! The ptrace requests that make a stopped thread call the kernel, and the wait for its stops.
//!
//! # Safety
//! ptrace reads and writes the *caller's* memory only where a request takes a pointer; each
//! function below that passes one says what it points to. A request for a thread that isn't
//! stopped, or isn't traced by the calling thread, fails with `ESRCH` and does nothing.
#![allow(unsafe_code)]

use std::io;
use std::mem::MaybeUninit;

/// General registers, as `struct user_regs_struct` of x86-64 has them.
pub(super) type Registers = libc::user_regs_struct;

const NT_PRSTATUS: usize = 1;

/// `PTRACE_GETSIGMASK`, `PTRACE_SETSIGMASK` and `PTRACE_GET_SYSCALL_INFO` (`linux/ptrace.h`), which
/// libc lacks for some C libraries.
const GET_SIGNAL_MASK: u32 = 0x420a;
const SET_SIGNAL_MASK: u32 = 0x420b;
const GET_SYSCALL_INFO: u32 = 0x420e;

/// Size of the kernel's own signal set, in bytes.
const SIGNAL_SET_BYTES: usize = 8;

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

/// The signals that a stopped thread blocks.
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

/// Lets a stopped thread go on until it is before or behind a system call; what signal it was about
/// to get, it doesn't get.
pub(super) fn go_on_to_call(tid: i32) -> io::Result<()> {
    // SAFETY: takes no pointer.
    check(unsafe { libc::ptrace(libc::PTRACE_SYSCALL, tid, 0_usize, 0_usize) })
}

/// Where a thread stands with regard to a system call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// Before the call, at its entry or at a seccomp filter.
    Before,
    /// Behind it.
    Behind,
    /// Neither.
    Elsewhere,
}

/// Asks where a stopped thread stands.
///
/// # References
///
/// ptrace(2), `struct ptrace_syscall_info`: `op` is its first byte
pub(super) fn place(tid: i32) -> io::Result<Place> {
    let mut op = 0_u8;
    // SAFETY: writes as many bytes of the struct as the third argument says: one, to `op`.
    check(unsafe { libc::ptrace(GET_SYSCALL_INFO as _, tid, 1_usize, &raw mut op) })?;
    Ok(match op {
        1 | 3 => Place::Before,
        2 => Place::Behind,
        _ => Place::Elsewhere,
    })
}

/// Waits until a thread stops, and gives the signal and the event (`signal | event << 8`). `None`
/// if it ended or is about to: that report is left for whoever traces it.
pub(super) fn wait_for_stop(tid: i32) -> io::Result<Option<i32>> {
    loop {
        let seen = wait(tid, libc::WEXITED | libc::WSTOPPED | libc::WNOWAIT)?;
        let Some((libc::CLD_TRAPPED, status)) = seen else {
            return Ok(None);
        };
        if status >> 8 == libc::PTRACE_EVENT_EXIT {
            return Ok(None);
        }
        // SIGKILL may have ended the stop meanwhile, so don't wait for another one.
        if let Some((_, status)) = wait(tid, libc::WSTOPPED | libc::WNOHANG)? {
            return Ok(Some(status));
        }
    }
}

/// waitid(2) for one thread: `si_code` and `si_status`.
fn wait(tid: i32, options: i32) -> io::Result<Option<(i32, i32)>> {
    let mut info = MaybeUninit::<libc::siginfo_t>::zeroed();
    let options = options | libc::__WALL;
    loop {
        // SAFETY: writes one siginfo_t to `info`.
        let result =
            unsafe { libc::waitid(libc::P_PID, tid as libc::id_t, info.as_mut_ptr(), options) };
        match check(result.into()) {
            Err(error) if error.raw_os_error() == Some(libc::EINTR) => {}
            Err(error) => return Err(error),
            Ok(()) => break,
        }
    }
    // SAFETY: zeroed, which is valid, and then written by the kernel or left so.
    let info = unsafe { info.assume_init() };
    // SAFETY: waitid fills this field in, or nothing, and then it is 0.
    let pid = unsafe { info.si_pid() };
    // SAFETY: the same.
    let status = unsafe { info.si_status() };
    Ok((pid != 0).then_some((info.si_code, status)))
}

/// Sends SIGSTOP to a thread that has not been waited for.
pub(super) fn stop_again(tid: i32) {
    // SAFETY: takes integers; fails only if the thread was killed.
    unsafe { libc::syscall(libc::SYS_tkill, tid, libc::SIGSTOP) };
}

fn check(result: libc::c_long) -> io::Result<()> {
    if result == -1 {
        Err(io::Error::last_os_error())
    } else {
        Ok(())
    }
}
