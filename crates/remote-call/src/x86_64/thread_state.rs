//! Everything that a thread has to get back, and how its interrupted system call goes on.

use tracee::Registers;

/// What the kernel returns in `rax` from an interrupted system call, which the program never sees.
const ERESTARTSYS: i64 = -512;
const ERESTARTNOINTR: i64 = -513;
const ERESTARTNOHAND: i64 = -514;
const ERESTART_RESTARTBLOCK: i64 = -516;

/// Everything that a thread has to get back.
#[derive(Debug)]
pub(super) struct ThreadState {
    pub(super) registers: Registers,
    pub(super) vectors: Vec<u8>,
    pub(super) signal_mask: u64,
}

/// How an interrupted system call goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum RestartKind {
    /// There is none, or it has its result.
    None,
    /// It is made once more.
    Anew,
    /// The kernel remembers what is left of it, such as a time to sleep.
    Remembered,
}

impl RestartKind {
    pub(super) fn of(registers: &Registers) -> Self {
        if registers.orig_rax.cast_signed() < 0 {
            return Self::None;
        }
        match registers.rax.cast_signed() {
            ERESTARTSYS | ERESTARTNOINTR | ERESTARTNOHAND => Self::Anew,
            ERESTART_RESTARTBLOCK => Self::Remembered,
            _ => Self::None,
        }
    }
}
