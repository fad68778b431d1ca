//! A stopped process's memory, read in large pieces, or a copy of a running one's stack; and the
//! registers of threads, as the unwinder wants them.

use std::borrow::Cow;

pub(super) use tracee::Registers;

/// Bytes to a piece; a multiple of the page size.
const PIECE_BYTES: u64 = 32 * 1024;
const PAGE_BYTES: u64 = 4096;
/// The usual limit of a stack; a walk reads no more.
const MOST_STACK_BYTES: u64 = 8 << 20;
const MOST_PIECES: usize = (MOST_STACK_BYTES / PIECE_BYTES) as usize;

/// Reads words of one process's memory; keeps the pieces that it has read.
#[derive(Debug)]
pub(super) struct StackMemory {
    /// Whose memory to read; `None`: what is there is all.
    pid: Option<i32>,
    pieces: Vec<(u64, Vec<u8>)>,
    /// Of a copy: whether something of the stack was wanted that wasn't copied.
    pub(super) lacks: bool,
}

impl StackMemory {
    /// The memory of a process, which must stand still as long as this is used.
    pub(super) fn of(pid: i32) -> Self {
        Self { pid: Some(pid), pieces: Vec::new(), lacks: false }
    }

    /// What was copied of the stack at these addresses, and nothing else: the process runs on.
    #[cfg(target_arch = "x86_64")]
    pub(super) fn copied(parts: &[(u64, Vec<u8>)]) -> Self {
        Self { pid: None, pieces: parts.to_vec(), lacks: false }
    }

    /// The eight bytes at an address; `None` if they can't be read.
    pub(super) fn word(&mut self, address: u64) -> Option<u64> {
        let end = address.checked_add(8)?;
        for (start, bytes) in &self.pieces {
            if (*start..start + bytes.len() as u64).contains(&address)
                && end <= start + bytes.len() as u64
            {
                let at = (address - start) as usize;
                return Some(u64::from_le_bytes(bytes[at..at + 8].try_into().ok()?));
            }
        }
        let Some(pid) = self.pid else {
            let start = self.pieces.first().map(|(start, _)| *start);
            self.lacks |= start.is_some_and(|start| {
                (start..start.saturating_add(MOST_STACK_BYTES)).contains(&address)
            });
            return None;
        };
        if self.pieces.len() >= MOST_PIECES {
            return None;
        }
        let start = address & !(PAGE_BYTES - 1);
        let bytes = read(pid, start, PIECE_BYTES)?;
        let at = (address - start) as usize;
        let word = u64::from_le_bytes(bytes.get(at..at + 8)?.try_into().ok()?);
        self.pieces.push((start, bytes));
        Some(word)
    }
}

/// Reads up to `length_bytes` from the start of a page; ends early at the first page that can't be
/// read. `None` if that is the first one.
pub(super) fn read(pid: i32, start: u64, length_bytes: u64) -> Option<Vec<u8>> {
    let place = start..start.checked_add(length_bytes)?;
    let mut bytes = Vec::new();
    let read = proc_memory::read_memory(pid, std::slice::from_ref(&place), &mut bytes).ok()?;
    (read > 0).then_some(bytes)
}

/// Whether a process's memory holds these bytes at these addresses.
pub(super) fn holds(pid: i32, expected: &[(u64, Cow<'_, [u8]>)]) -> bool {
    let places = expected.iter();
    let places = places.map(|(address, bytes)| *address..*address + bytes.len() as u64);
    let mut found = Vec::new();
    let read = proc_memory::read_memory(pid, &places.collect::<Vec<_>>(), &mut found);
    let expected = expected.iter().flat_map(|(_, bytes)| bytes.iter());
    read.is_ok() && found.iter().eq(expected)
}

/// The registers that tell where a thread is and who called: rip, rsp, rbp, rbx, r12 to r15; and,
/// if it is in mremap, what it asks for.
#[cfg(target_arch = "x86_64")]
pub(super) fn registers_of(values: [u64; 8], resized_bytes: Option<u64>) -> Registers {
    let [rip, rsp, rbp, rbx, r12, r13, r14, r15] = values;
    let [rax, rcx, rsi, rdi, r8, r9, r10, r11] = [0; 8];
    let [cs, eflags, ss, fs_base, gs_base, ds, es, fs, gs] = [0; 9];
    let orig_rax = resized_bytes.map_or(u64::MAX, |_| libc::SYS_mremap as u64);
    let rdx = resized_bytes.unwrap_or(0);
    #[rustfmt::skip]
    return Registers {
        r15, r14, r13, r12, rbp, rbx, r11, r10, r9, r8, rax, rcx, rdx, rsi, rdi, orig_rax, rip, cs,
        eflags, rsp, ss, fs_base, gs_base, ds, es, fs, gs,
    };
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
