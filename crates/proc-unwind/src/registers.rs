//! The registers of a stopped thread, as the unwinder wants them.

pub(super) use tracee::Registers;

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
