//! General registers in the order of unwind tables.

use tracee::Registers;

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
