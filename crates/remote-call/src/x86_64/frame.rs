//! The frame of a signal handler, as the kernel would put it on a thread's stack.
//!
//! The function that is called takes the handler's place: when it returns, `rt_sigreturn` gives the
//! thread everything back from this frame.
//!
//! # References
//! Linux 6.18: `arch/x86/kernel/signal_64.c` (`x64_setup_rt_frame`, `restore_sigcontext`),
//! `arch/x86/kernel/fpu/signal.c` (`check_xstate_in_sigframe`), `arch/x86/kernel/signal.c`
//! (`arch_do_signal_or_restart`), `arch/x86/include/uapi/asm/{sigcontext,ucontext}.h`;
//! sigreturn(2)

use super::completion_signal;
use super::sigreturn::WayBack;
use super::thread_state::{RestartKind, ThreadState};
use crate::request::{Argument, Entry};
use tracee::Registers;

/// What lies right below the stack pointer belongs to the function that was interrupted.
const RED_ZONE_BYTES: u64 = 128;

/// `struct rt_sigframe`: return address, `struct ucontext`, `siginfo_t`.
const FRAME_BYTES: u64 = 8 + 304 + 128;

/// Offsets in `struct rt_sigframe`.
mod offset {
    pub(super) const FLAGS: usize = 8;
    /// `ss_flags` of the alternate stack.
    pub(super) const STACK_FLAGS: usize = 32;
    /// The 18 registers from `r8` to `eflags`.
    pub(super) const REGISTERS: usize = 48;
    /// `cs`, `gs`, `fs`, `ss`, 2 bytes each.
    pub(super) const SEGMENTS: usize = 192;
    pub(super) const VECTORS: usize = 232;
    pub(super) const SIGNAL_MASK: usize = 304;
}

/// `UC_FP_XSTATE | UC_SIGCONTEXT_SS | UC_STRICT_RESTORE_SS`.
const FLAGS: u64 = 0b111;

/// No state that an alternate stack can be in, so that `rt_sigreturn` leaves it alone
/// (`do_sigaltstack` refuses it, and `restore_altstack` minds no such refusal).
const NO_STACK_FLAGS: u32 = 7;

/// `FP_XSTATE_MAGIC1` and `FP_XSTATE_MAGIC2`.
const XSTATE_MAGIC1: u32 = 0x4650_5853;
const XSTATE_MAGIC2: u32 = 0x4650_5845;

/// In an XSAVE area: what the kernel leaves to software, and what of it is in use (XSTATE_BV).
const SOFTWARE: usize = 464;
const IN_USE: usize = 512;

/// AMX's tiles, the one part of an XSAVE area that a thread has only once it asked for it, and
/// where it begins.
const TILES: u64 = 1 << 18;
const TILES_OFFSET: usize = 2816;

/// The direction flag clear, as the ABI wants it; interrupts on, and the bit that is always.
const FLAGS_OF_CODE: u64 = 0x202;

/// Signals that the processor or the kernel raise for what a thread itself does. Blocking one of
/// them makes the kernel reset what the program wants done with it.
pub(super) const OWN_SIGNALS: [i32; 6] =
    [libc::SIGSEGV, libc::SIGBUS, libc::SIGFPE, libc::SIGILL, libc::SIGTRAP, libc::SIGSYS];

/// The signals that are blocked during a call.
pub(super) fn call_mask(signal_mask: u64) -> u64 {
    let own = OWN_SIGNALS.iter().fold(0, |set, signal| set | completion_signal::bit(*signal));
    signal_mask | !own
}

/// Length of the instruction `syscall`.
const SYSCALL_BYTES: u64 = 2;

/// What is written to a thread's stack for a call, and the registers with which it begins.
#[derive(Debug)]
pub(super) struct SignalFrame {
    /// Where the bytes go.
    pub(super) start: u64,
    pub(super) bytes: Vec<u8>,
    pub(super) registers: Registers,
    /// Where the function's value will be.
    pub(super) value: u64,
    /// Where the call's data are.
    pub(super) data: u64,
    /// The stack pointer with which `rt_sigreturn` finds the frame.
    pub(super) stack_pointer: u64,
    /// The signal that comes through the gate before that.
    pub(super) gate: Option<i32>,
}

impl SignalFrame {
    pub(super) fn new(
        state: &ThreadState,
        way_back: &WayBack,
        entry: &Entry,
        gate: Option<i32>,
    ) -> Self {
        let vectors = signal_vectors(&state.vectors);
        let top = state.registers.rsp - RED_ZONE_BYTES;
        // Whatever a function may want there is aligned.
        let data = (top - entry.data.len() as u64) & !15;
        // The kernel and the processor demand that.
        let vectors_at = (data - vectors.len() as u64) & !63;
        let value = vectors_at - 8;
        // Below the frame: the function's return address, and what is skipped on the way back.
        let below = 8 + way_back.store.skipped_bytes;
        let gate_bytes = gate.map_or(0, |_| FRAME_BYTES);
        // As behind every call instruction.
        let start = ((value - FRAME_BYTES - gate_bytes - below) & !15) - 8;
        let frame = start + below + gate_bytes;

        let mut bytes = vec![0; (top - start) as usize];
        let mut put = |address: u64, content: &[u8]| {
            let offset = (address - start) as usize;
            bytes[offset..][..content.len()].copy_from_slice(content);
        };
        put(start, &way_back.store.address.to_le_bytes());
        put(frame, &way_back.restore.address.to_le_bytes());
        let undone = restarted(&state.registers);
        put(frame + 8, &context(&undone, state.signal_mask, vectors_at)[8..]);
        if let Some(signal) = gate {
            let through = Registers {
                rip: way_back.restore.address,
                rsp: frame + 8,
                eflags: FLAGS_OF_CODE,
                ..state.registers
            };
            let mask = call_mask(state.signal_mask) & !completion_signal::bit(signal);
            put(start + below, &way_back.restore.address.to_le_bytes());
            put(start + below + 8, &context(&through, mask, vectors_at)[8..]);
        }
        put(vectors_at, &vectors);
        put(data, &entry.data);

        let mut registers = state.registers;
        registers.rip = entry.function;
        registers.rsp = start;
        registers.eflags = FLAGS_OF_CODE;
        // No system call is under way, so there is none for the kernel to make anew.
        registers.orig_rax = u64::MAX;
        // Of no arguments in vector registers, in case there is an ellipsis.
        registers.rax = 0;
        let r = &mut registers;
        [r.rdi, r.rsi, r.rdx, r.rcx, r.r8, r.r9] = entry.arguments.map(|argument| match argument {
            Argument::Value(value) => value,
            Argument::Data(offset) => data + offset as u64,
        });
        way_back.store.aim(&mut registers, value);
        Self { start, bytes, registers, value, data, stack_pointer: frame + 8, gate }
    }
}

/// `struct rt_sigframe` without its return address and without information on a signal.
fn context(registers: &Registers, signal_mask: u64, vectors_at: u64) -> [u8; FRAME_BYTES as usize] {
    let mut frame = [0; FRAME_BYTES as usize];
    let mut put = |offset: usize, content: &[u8]| {
        frame[offset..][..content.len()].copy_from_slice(content);
    };
    put(offset::FLAGS, &FLAGS.to_le_bytes());
    put(offset::STACK_FLAGS, &NO_STACK_FLAGS.to_le_bytes());
    let r = registers;
    let general = [
        r.r8, r.r9, r.r10, r.r11, r.r12, r.r13, r.r14, r.r15, r.rdi, r.rsi, r.rbp, r.rbx, r.rdx,
        r.rax, r.rcx, r.rsp, r.rip, r.eflags,
    ];
    for (index, register) in general.iter().enumerate() {
        put(offset::REGISTERS + 8 * index, &register.to_le_bytes());
    }
    put(offset::SEGMENTS, &(registers.cs as u16).to_le_bytes());
    put(offset::SEGMENTS + 6, &(registers.ss as u16).to_le_bytes());
    put(offset::VECTORS, &vectors_at.to_le_bytes());
    put(offset::SIGNAL_MASK, &signal_mask.to_le_bytes());
    frame
}

/// The registers that the kernel would let the program go on with.
fn restarted(registers: &Registers) -> Registers {
    let mut registers = *registers;
    match RestartKind::of(&registers) {
        RestartKind::None => return registers,
        RestartKind::Anew => registers.rax = registers.orig_rax,
        RestartKind::Remembered => registers.rax = libc::SYS_restart_syscall as u64,
    }
    registers.rip -= SYSCALL_BYTES;
    registers
}

/// An XSAVE area as a signal's frame has it: marked as complete, with a mark at its end.
fn signal_vectors(area: &[u8]) -> Vec<u8> {
    let word = |offset: usize| {
        let bytes = area.get(offset..offset + 8).and_then(|bytes| bytes.try_into().ok());
        u64::from_le_bytes(bytes.unwrap_or_default())
    };
    // ptrace says here what the processor and the kernel have (XCR0).
    let features = word(SOFTWARE);
    let size = area.len() as u32;
    let mark = XSTATE_MAGIC2.to_le_bytes();
    let mut vectors = area.to_vec();
    let mut software = Vec::with_capacity(48);
    software.extend(XSTATE_MAGIC1.to_le_bytes());
    software.extend((size + mark.len() as u32).to_le_bytes());
    software.extend(features.to_le_bytes());
    software.extend(size.to_le_bytes());
    software.resize(48, 0);
    vectors[SOFTWARE..][..software.len()].copy_from_slice(&software);
    vectors.extend(mark);
    // The kernel looks for the mark behind what *this thread* has, and ptrace gives as much as any
    // thread may have. Without tiles in use nothing is lost by a mark in their place.
    if features & TILES != 0 && word(IN_USE) & TILES == 0 && area.len() > TILES_OFFSET {
        vectors[TILES_OFFSET..][..mark.len()].copy_from_slice(&mark);
    }
    vectors
}

#[cfg(test)]
mod tests;
