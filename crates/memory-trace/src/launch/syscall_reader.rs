//! Reads calls from a stopped thread.

use std::io;

#[cfg(feature = "attach")]
use memory_event::I386_OLD_MMAP;
use memory_event::Syscall;
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
            Self::Registers => Ok(tracee::registers(tid)?.map(|registers| asked(&registers))),
            Self::SyscallInfo => {
                let info = tracee::syscall_info(tid)?;
                if info.op != SyscallInfo::SECCOMP {
                    return Err(io::Error::from_raw_os_error(libc::EIO));
                }
                let [number, args @ .., _] = info.data;
                Ok(Some(SyscallEntry { number: number as i64, args }))
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
            Self::Registers => {
                let registers = tracee::registers(tid)?.ok_or_else(unreadable)?;
                Ok((asked(&registers), tracee::syscall_result(registers.rax)))
            }
            Self::SyscallInfo => {
                let info = tracee::syscall_info(tid)?;
                let asked = before.filter(|_| info.op == SyscallInfo::EXIT);
                Ok((asked.ok_or_else(unreadable)?, tracee::syscall_result(info.data[0])))
            }
        }
    }
}

#[cfg(target_arch = "x86_64")]
fn asked(registers: &tracee::Registers) -> SyscallEntry {
    let r = registers;
    SyscallEntry { number: r.orig_rax as i64, args: [r.rdi, r.rsi, r.rdx, r.r10, r.r8, r.r9] }
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
#[cfg(feature = "attach")]
pub(crate) fn as_native(tid: i32, architecture: u32, asked: SyscallEntry) -> Option<SyscallEntry> {
    if Some(architecture) == NATIVE_ARCHITECTURE {
        return Some(asked);
    }
    let (number, args) = (asked.number as u64, asked.args);
    let (syscall, args) = match tells(architecture) {
        true if number == I386_OLD_MMAP => (Syscall::Mmap, six_words(tid, args[0])?),
        true => Syscall::from_i386(number, args)?,
        false => return None,
    };
    Some(SyscallEntry { number: syscall.number()?, args })
}

/// Six words of 32 bits in a thread's memory.
#[cfg(feature = "attach")]
fn six_words(tid: i32, address: u64) -> Option<[u64; 6]> {
    let mut bytes = Vec::new();
    let place = address..address + 24;
    proc_memory::read_memory(tid, std::slice::from_ref(&place), &mut bytes).ok()?;
    let (words, []) = bytes.as_chunks() else { return None };
    let words: &[[u8; 4]; 6] = words.try_into().ok()?;
    Some(words.map(|word| u32::from_le_bytes(word).into()))
}

/// Whether calls of code for this architecture can be read.
#[cfg(feature = "attach")]
pub(crate) fn tells(architecture: u32) -> bool {
    /// `AUDIT_ARCH_I386`
    const I386: u32 = 0x4000_0003;
    Some(architecture) == NATIVE_ARCHITECTURE
        || cfg!(target_arch = "x86_64") && architecture == I386
}

/// Whether a stopped thread runs code of another architecture.
pub(crate) fn is_foreign(tid: i32) -> bool {
    tracee::syscall_info(tid).is_ok_and(|info| Some(info.architecture) != NATIVE_ARCHITECTURE)
}

/// The file behind a descriptor that was opened just now, as the kernel names it.
pub(crate) fn opened_file(tid: i32, fd: u64) -> Option<Vec<u8>> {
    use std::os::unix::ffi::OsStringExt;
    let link = std::fs::read_link(format!("/proc/{tid}/fd/{fd}")).ok()?;
    Some(link.into_os_string().into_vec())
}
