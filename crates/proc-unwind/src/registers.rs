//! The registers of a stopped thread.
//!
//! # Safety
//! `PTRACE_GETREGSET` writes to the memory that its last argument describes; the one block that
//! makes it says what that is. For a thread that isn't stopped or isn't traced by the calling
//! thread it fails with `ESRCH` and writes nothing.
#![allow(unsafe_code)]

use std::mem::MaybeUninit;

/// The general registers of a thread, as the kernel lays them out.
pub(super) use libc::user_regs_struct as Registers;

/// Reads the registers; `None` if the thread can't be asked or runs 32-bit code.
///
/// # References
/// ptrace(2), `PTRACE_GETREGSET`
pub(super) fn of(tid: i32) -> Option<Registers> {
    const NT_PRSTATUS: usize = 1;
    let mut registers = MaybeUninit::<Registers>::zeroed();
    let mut window = libc::iovec {
        iov_base: registers.as_mut_ptr().cast(),
        iov_len: size_of::<Registers>(),
    };
    // SAFETY: GETREGSET writes at most `iov_len` bytes to `iov_base`, which is that large, and the
    // number of bytes written to `iov_len`.
    let result = unsafe { libc::ptrace(libc::PTRACE_GETREGSET, tid, NT_PRSTATUS, &raw mut window) };
    if result == -1 || window.iov_len != size_of::<Registers>() {
        return None;
    }
    // SAFETY: made of integers, zeroed and then written by the kernel.
    Some(unsafe { registers.assume_init() })
}

/// Address of the next instruction.
pub(super) fn instruction(registers: &Registers) -> u64 {
    #[cfg(target_arch = "x86_64")]
    let address = registers.rip;
    #[cfg(target_arch = "aarch64")]
    let address = registers.pc;
    address
}

/// The registers that framehop starts from. `highest` is the highest known code address: bits
/// above it are no part of a return address where those are signed.
#[cfg(target_arch = "x86_64")]
pub(super) fn for_unwinding(registers: &Registers, _highest: u64) -> framehop::UnwindRegsNative {
    framehop::UnwindRegsNative::new(registers.rip, registers.rsp, registers.rbp)
}

/// The registers that framehop starts from. `highest` is the highest known code address: bits
/// above it are no part of a return address where those are signed.
#[cfg(target_arch = "aarch64")]
pub(super) fn for_unwinding(registers: &Registers, highest: u64) -> framehop::UnwindRegsNative {
    framehop::UnwindRegsNative::new_with_ptr_auth_mask(
        framehop::aarch64::PtrAuthMask::from_max_known_address(highest),
        registers.regs[30],
        registers.sp,
        registers.regs[29],
    )
}
