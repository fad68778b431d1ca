//! Reads calls from a stopped thread.

use std::io;

use memory_event::{I386_OLD_MMAP, Syscall};
use tracee::SyscallInfo;

/// The kernel's name (`AUDIT_ARCH_*`) for the native calls of this architecture; `None` where the
/// launcher was never made to work.
///
/// # References
/// `include/uapi/linux/audit.h`
pub(crate) const NATIVE_ARCHITECTURE: Option<u32> =
    if cfg!(all(target_arch = "x86_64", target_pointer_width = "64")) {
        Some(0xC000_003E)
    } else if cfg!(all(
        target_arch = "aarch64",
        target_endian = "little",
        target_pointer_width = "64"
    )) {
        Some(0xC000_00B7)
    } else {
        None
    };

/// The kernel's name for calls that 32-bit code makes on x86-64, and 64-bit code by `int 0x80`; `None`
/// elsewhere.
pub(crate) const I386_ARCHITECTURE: Option<u32> =
    if cfg!(target_arch = "x86_64") { Some(0x4000_0003) } else { None };

/// Calls of 32-bit code that no [`Syscall`] is and that put a seccomp filter in place.
pub(crate) const I386_SECCOMP: u64 = 354;
pub(crate) const I386_PRCTL: u64 = 172;

/// A call as the kernel numbers it, with arguments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SyscallEntry {
    pub(crate) number: i64,
    pub(crate) args: [u64; 6],
}

/// The two ways of reading a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SyscallReader {
    /// One look at the registers, after the call: on x86-64 neither arguments nor number are
    /// overwritten by the result.
    #[cfg(target_arch = "x86_64")]
    Registers,
    /// A question to the kernel before and after the call: for architectures that overwrite the
    /// first argument with the result, as aarch64 does.
    #[cfg_attr(target_arch = "x86_64", allow(dead_code, reason = "tests compare both"))]
    SyscallInfo,
}

impl Default for SyscallReader {
    fn default() -> Self {
        Self::NATIVE
    }
}

impl SyscallReader {
    /// The cheaper of those that work here.
    #[cfg(target_arch = "x86_64")]
    pub(crate) const NATIVE: Self = Self::Registers;
    /// The cheaper of those that work here.
    #[cfg(not(target_arch = "x86_64"))]
    pub(crate) const NATIVE: Self = Self::SyscallInfo;

    /// Looks at a thread that the filter has stopped before a call. `None`: what is needed can be
    /// read afterwards, and nobody is `curious` before.
    pub(crate) fn before(self, tid: i32, curious: bool) -> io::Result<Option<SyscallEntry>> {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Registers if !curious => Ok(None),
            #[cfg(target_arch = "x86_64")]
            Self::Registers => Ok(in_registers(tid)?.map(|(asked, _)| asked)),
            Self::SyscallInfo => {
                let info = tracee::syscall_info(tid)?;
                if info.op != SyscallInfo::SECCOMP {
                    return Err(io::Error::from_raw_os_error(libc::EIO));
                }
                let [number, args @ .., _] = info.data;
                let asked = SyscallEntry { number: number as i64, args };
                Ok(as_native(tid, info.architecture, asked))
            }
        }
    }

    /// Looks at a thread that stands behind a call.
    pub(crate) fn after(
        self,
        tid: i32,
        before: Option<SyscallEntry>,
    ) -> io::Result<(SyscallEntry, Result<u64, i32>)> {
        let unreadable = || io::Error::from_raw_os_error(libc::EIO);
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Registers => in_registers(tid)?.ok_or_else(unreadable),
            Self::SyscallInfo => {
                let info = tracee::syscall_info(tid)?;
                let asked = before.filter(|_| info.op == SyscallInfo::EXIT);
                Ok((asked.ok_or_else(unreadable)?, tracee::syscall_result(info.data[0])))
            }
        }
    }
}

/// The call that a thread's registers tell of, and what they have as its result. `None`: of 32-bit code,
/// and not one that is told.
#[cfg(target_arch = "x86_64")]
fn in_registers(tid: i32) -> io::Result<Option<(SyscallEntry, Result<u64, i32>)>> {
    let i386 = |number, args, result| {
        let asked = as_native(tid, I386_ARCHITECTURE?, SyscallEntry { number, args })?;
        Some((asked, result))
    };
    let Some(r) = tracee::registers(tid)? else {
        let Some(call) = tracee::i386_call(tid)? else { return Ok(None) };
        let result = tracee::syscall_result(i64::from(call.returned.cast_signed()) as u64);
        let result = result.map(|_| call.returned.into());
        return Ok(i386(call.number.into(), call.args.map(u64::from), result));
    };
    let (number, result) = (r.orig_rax as i64, tracee::syscall_result(r.rax));
    if may_be_i386(number, result)
        && Some(tracee::syscall_info(tid)?.architecture) == I386_ARCHITECTURE
    {
        let args = [r.rbx, r.rcx, r.rdx, r.rsi, r.rdi, r.rbp].map(|word| word & 0xffff_ffff);
        return Ok(i386(number, args, result));
    }
    let args = [r.rdi, r.rsi, r.rdx, r.r10, r.r8, r.r9];
    Ok(Some((SyscallEntry { number, args }, result)))
}

/// Whether what 64-bit code has asked for may be an `int 0x80`: the number isn't of a call that the filter
/// stops, or is so for both. (Both have 11: `munmap`, and `execve`, which comes back if it fails.)
#[cfg(target_arch = "x86_64")]
fn may_be_i386(number: i64, result: Result<u64, i32>) -> bool {
    let stops = |number| matches!(number, libc::SYS_seccomp | libc::SYS_prctl);
    match Syscall::from_i386(number as u64, [0; 6]) {
        Some((Syscall::Execve, _)) => result.is_err(),
        Some(_) => true,
        None => Syscall::from_number(number).is_none() && !stops(number),
    }
}

/// Which call has replaced a program. After the fact the registers always say `execve`, so that
/// only a look before the call can tell it from the rare `execveat`; it isn't worth one.
pub(crate) fn exec_call(before: Option<SyscallEntry>) -> Syscall {
    match before.and_then(|asked| Syscall::from_number(asked.number)) {
        Some(Syscall::Execveat) => Syscall::Execveat,
        _ => Syscall::Execve,
    }
}

/// The call by the number and with the arguments that this architecture's code has for it; `None`
/// of what foreign code asks for otherwise.
pub(crate) fn as_native(tid: i32, architecture: u32, asked: SyscallEntry) -> Option<SyscallEntry> {
    if Some(architecture) == NATIVE_ARCHITECTURE {
        return Some(asked);
    }
    let (number, args) = (asked.number as u64, asked.args);
    if !tells(architecture) {
        return None;
    }
    let of = |syscall: Syscall, args| Some(SyscallEntry { number: syscall.number()?, args });
    match number {
        I386_OLD_MMAP => of(Syscall::Mmap, six_words(tid, args[0])?),
        I386_SECCOMP => Some(SyscallEntry { number: libc::SYS_seccomp, args }),
        I386_PRCTL => Some(SyscallEntry { number: libc::SYS_prctl, args }),
        _ => Syscall::from_i386(number, args).and_then(|(syscall, args)| of(syscall, args)),
    }
}

/// Six words of 32 bits in a thread's memory.
fn six_words(tid: i32, address: u64) -> Option<[u64; 6]> {
    let mut bytes = Vec::new();
    let place = address..address + 24;
    proc_memory::read_memory(tid, std::slice::from_ref(&place), &mut bytes).ok()?;
    let (words, []) = bytes.as_chunks() else { return None };
    let words: &[[u8; 4]; 6] = words.try_into().ok()?;
    Some(words.map(|word| u32::from_le_bytes(word).into()))
}

/// Whether calls of code for this architecture can be read.
fn tells(architecture: u32) -> bool {
    [NATIVE_ARCHITECTURE, I386_ARCHITECTURE].contains(&Some(architecture))
}

/// Whether a stopped thread runs code of an architecture whose calls can't be read.
pub(crate) fn is_foreign(tid: i32) -> bool {
    tracee::syscall_info(tid).is_ok_and(|info| !tells(info.architecture))
}

/// The file behind a descriptor that was opened just now, as the kernel names it.
pub(crate) fn opened_file(tid: i32, fd: u64) -> Option<Vec<u8>> {
    use std::os::unix::ffi::OsStringExt;
    let link = std::fs::read_link(format!("/proc/{tid}/fd/{fd}")).ok()?;
    Some(link.into_os_string().into_vec())
}
