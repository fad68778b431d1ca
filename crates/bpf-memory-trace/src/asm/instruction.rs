//! Instructions, and the numbers that they are made of.
//!
//! # References
//! `include/uapi/linux/bpf_common.h`, `include/uapi/linux/bpf.h`

/// One instruction of 64 bits, as the kernel takes it (`struct bpf_insn`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct Instruction {
    pub(super) code: u8,
    /// Destination in the lower half, source in the upper one.
    pub(super) registers: u8,
    pub(super) offset: i16,
    pub(super) immediate: i32,
}

impl Instruction {
    pub(super) fn ends_a_program(self) -> bool {
        const JUMPS: [u8; 2] = [operation::EXIT, operation::JA];
        JUMPS.iter().any(|jump| self.code == class::JMP | jump)
    }
}

/// A register. r0 holds results; r1 to r5 arguments, and nothing after a call; r6 to r9 are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
#[expect(missing_docs, reason = "they are called what they are")]
pub enum Register {
    R0,
    R1,
    R2,
    R3,
    R4,
    R5,
    R6,
    R7,
    R8,
    R9,
    /// The frame pointer, r10: the stack's 512 bytes lie below it. It can't be written.
    Fp,
}

/// A place in a program that is jumped to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Label(pub(super) usize);

/// How much is read or written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Width {
    /// 1 byte.
    Byte = 0x10,
    /// 2 bytes.
    Half = 0x08,
    /// 4 bytes.
    Word = 0x00,
    /// 8 bytes.
    Double = 0x18,
}

impl Width {
    pub(crate) const fn bytes(self) -> i16 {
        match self {
            Self::Byte => 1,
            Self::Half => 2,
            Self::Word => 4,
            Self::Double => 8,
        }
    }
}

/// When to jump. Numbers are unsigned but for those called signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
#[expect(missing_docs, reason = "they are called what they are")]
pub enum Condition {
    Equal = 0x10,
    Greater = 0x20,
    GreaterOrEqual = 0x30,
    /// Both have a bit in common.
    AnyBit = 0x40,
    NotEqual = 0x50,
    SignedGreater = 0x60,
    SignedGreaterOrEqual = 0x70,
    Less = 0xa0,
    LessOrEqual = 0xb0,
    SignedLess = 0xc0,
    SignedLessOrEqual = 0xd0,
}

/// The kernel's functions that programs may call: those that this crate's programs do.
///
/// # References
/// bpf-helpers(7); `include/uapi/linux/bpf.h`, `__BPF_FUNC_MAPPER`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
#[non_exhaustive]
#[expect(missing_docs, reason = "bpf-helpers(7) has them by these names")]
pub enum Helper {
    MapLookupElem = 1,
    KtimeGetNs = 5,
    GetCurrentPidTgid = 14,
    CurrentTaskUnderCgroup = 37,
    ProbeReadUser = 112,
    ProbeReadKernel = 113,
    ProbeReadUserStr = 114,
    ProbeReadKernelStr = 115,
    RingbufReserve = 131,
    RingbufSubmit = 132,
    RingbufDiscard = 133,
    RingbufQuery = 134,
    GetCurrentTaskBtf = 158,
    TaskPtRegs = 175,
}

/// Bytes of stack that a program has.
///
/// # References
/// `include/linux/filter.h`, `MAX_BPF_STACK`
pub(super) const STACK_BYTES: i16 = 512;

/// Sources of a wide load: its number is a map's descriptor.
pub(super) const LOAD_MAP: u8 = 1;
/// Its number is a map's descriptor, its second one an offset in the first value.
pub(super) const LOAD_MAP_VALUE: u8 = 2;

/// Instruction classes.
pub(super) mod class {
    pub const LD: u8 = 0x00;
    pub const LDX: u8 = 0x01;
    pub const ST: u8 = 0x02;
    pub const STX: u8 = 0x03;
    pub const JMP: u8 = 0x05;
    pub const ALU64: u8 = 0x07;
    pub const MASK: u8 = 0x07;
}

/// Operations, modes and sources.
pub(super) mod operation {
    pub const BY_REGISTER: u8 = 0x08;

    pub const ADD: u8 = 0x00;
    pub const AND: u8 = 0x50;
    pub const RSH: u8 = 0x70;
    pub const MOV: u8 = 0xb0;

    pub const JA: u8 = 0x00;
    pub const CALL: u8 = 0x80;
    pub const EXIT: u8 = 0x90;

    pub const IMM: u8 = 0x00;
    pub const MEM: u8 = 0x60;
    pub const ATOMIC: u8 = 0xc0;
}
