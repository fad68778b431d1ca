//! What a tracer can be asked for, and what it missed.

use crate::programs::Scope;

/// By what the programs learn of a call's return.
///
/// # References
/// `Documentation/bpf/libbpf/program_types.rst`; `Documentation/trace/fprobe.rst`;
/// `include/trace/events/syscalls.h`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Hook {
    /// By fexit programs, one for each system call's function. Nothing else is touched. Where the
    /// kernel may preempt itself, returns are missed: [`Missed::skipped`].
    Fexit,
    /// By one kretprobe.multi link to all these functions. Before Linux 6.14, returns are missed
    /// while many threads wait in such calls: [`Missed::no_return_slot`].
    KprobeMulti,
    /// By the tracepoint `sys_exit`, at which *every* system call of *every* process comes by. It
    /// takes the kernel's slower way in and out, and the program is called for it, which together
    /// costs more than perf's tracepoints do, however short the program is. Since Linux 7.0 it misses
    /// returns where [`Fexit`](Self::Fexit) does. For want of anything better, and for tests: context
    /// and bodies are those of [`Fexit`](Self::Fexit).
    SysExit,
}

/// What a [`Tracer`](crate::Tracer) can be asked for.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Options {
    /// Size of the ring, a power of two. By default 16 MiB: some 170,000 calls.
    pub ring_bytes: u32,
    /// Whose calls can be told. By default those of watched processes.
    pub scope: Scope,
    /// With each call that may make memory grow, registers and so many bytes of stack: 0, or whole
    /// KiB up to 16. By default 0.
    pub stack_bytes: u16,
}

impl Default for Options {
    fn default() -> Self {
        Self { ring_bytes: 16 << 20, scope: Scope::Watched, stack_bytes: 0 }
    }
}

/// What wasn't told, exactly.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Missed {
    /// Records that found no room in the ring.
    pub ring_full: u64,
    /// Programs that were skipped because the same one had been preempted on that processor. Of
    /// all processes, so at most so many of the watched ones.
    pub skipped: u64,
    /// Returns that a [`Hook::KprobeMulti`] link had no place to wait for. Of all processes, too.
    pub no_return_slot: u64,
}
