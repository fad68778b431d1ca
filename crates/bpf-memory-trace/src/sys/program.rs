//! Commands for programs and links.

use std::ffi::{CString, c_long};
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};

use super::{bpf_fd, short};
use crate::asm::Instruction;

const PROG_LOAD: c_long = 5;
const RAW_TRACEPOINT_OPEN: c_long = 17;
const LINK_CREATE: c_long = 28;

/// `BPF_TRACE_KPROBE_MULTI`
pub const KPROBE_MULTI: u32 = 42;
/// `BPF_F_KPROBE_MULTI_RETURN`
const AT_RETURN: u32 = 1;

/// What a program is loaded as.
#[derive(Clone, Copy, Debug)]
pub struct ProgramKind {
    pub program: u32,
    pub attach: u32,
    pub btf_id: u32,
}

/// With `log`, which the verifier fills as far as it goes, it runs much longer.
pub fn prog_load(
    instructions: &[Instruction],
    name: &str,
    kind: ProgramKind,
    mut log: Option<&mut [u8]>,
) -> io::Result<OwnedFd> {
    #[repr(C)]
    struct Attribute {
        program: u32,
        instructions_count: u32,
        instructions: u64,
        licence: u64,
        log_level: u32,
        log_bytes: u32,
        log: u64,
        kernel_version: u32,
        flags: u32,
        name: [u8; 16],
        interface: u32,
        attach: u32,
        debug: [u32; 2],
        functions: [u32; 4],
        lines: [u32; 3],
        attach_btf_id: u32,
    }
    let mut attribute = Attribute {
        program: kind.program,
        instructions_count: instructions.len() as u32,
        instructions: instructions.as_ptr() as u64,
        // The helpers that read memory and time are for programs under the GPL as well.
        licence: c"Dual MIT/GPL".as_ptr() as u64,
        log_level: u32::from(log.is_some()),
        log_bytes: log.as_ref().map_or(0, |log| log.len() as u32),
        log: log.as_mut().map_or(0, |log| log.as_mut_ptr() as u64),
        kernel_version: 0,
        flags: 0,
        name: short(name),
        interface: 0,
        attach: kind.attach,
        debug: [0; 2],
        functions: [0; 4],
        lines: [0; 3],
        attach_btf_id: kind.btf_id,
    };
    // SAFETY: instructions, licence and log live, and are as long as is said.
    unsafe { bpf_fd(PROG_LOAD, &mut attribute) }
}

/// Attaches a program whose target was named when it was loaded: fexit and BTF tracepoints.
pub fn raw_tracepoint_open(program: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    #[repr(C)]
    struct Attribute {
        name: u64,
        program: u32,
        unused: u32,
    }
    let mut attribute =
        Attribute { name: 0, program: program.as_raw_fd().cast_unsigned(), unused: 0 };
    // SAFETY: the name is null.
    unsafe { bpf_fd(RAW_TRACEPOINT_OPEN, &mut attribute) }
}

/// Attaches a program to the returns of all these functions.
pub fn link_kprobe_multi(program: BorrowedFd<'_>, functions: &[CString]) -> io::Result<OwnedFd> {
    #[repr(C)]
    struct Attribute {
        program: u32,
        target: u32,
        attach: u32,
        flags: u32,
        multi_flags: u32,
        count: u32,
        symbols: u64,
        addresses: u64,
        cookies: u64,
    }
    let symbols: Vec<_> = functions.iter().map(|name| name.as_ptr()).collect();
    let mut attribute = Attribute {
        program: program.as_raw_fd().cast_unsigned(),
        target: 0,
        attach: KPROBE_MULTI,
        flags: 0,
        multi_flags: AT_RETURN,
        count: symbols.len() as u32,
        symbols: symbols.as_ptr() as u64,
        addresses: 0,
        cookies: 0,
    };
    // SAFETY: the list and the names in it live, the list is as long as is said.
    unsafe { bpf_fd(LINK_CREATE, &mut attribute) }
}
