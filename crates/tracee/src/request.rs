//! ptrace(2) requests to one thread.
//!
//! # Safety
//! ptrace reads and writes the *caller's* memory only where a request takes a pointer; each
//! function below that passes one says what it points to. A request for a thread that isn't
//! stopped, isn't traced by the calling thread, or was killed meanwhile fails with `ESRCH` and does
//! nothing.
#![allow(unsafe_code)]

use std::io;
use std::mem::MaybeUninit;

use nix::sys::ptrace::Options;
use nix::unistd::Pid;

/// General registers (`struct user_regs_struct`).
pub use libc::user_regs_struct as Registers;

const NT_PRSTATUS: usize = 1;
#[cfg(target_arch = "x86_64")]
const NT_X86_XSTATE: usize = 0x202;

/// Requests of `linux/ptrace.h` that libc lacks for some C libraries.
const GET_SIGNAL_MASK: u32 = 0x420a;
const SET_SIGNAL_MASK: u32 = 0x420b;
const GET_SYSCALL_INFO: u32 = 0x420e;
const GET_RSEQ_CONFIGURATION: u32 = 0x420f;

/// Size of the kernel's own signal set, in bytes.
const SIGNAL_SET_BYTES: usize = 8;

/// More than any processor's XSAVE area has (11 KiB with AMX).
#[cfg(target_arch = "x86_64")]
const XSAVE_MAXIMUM_BYTES: usize = 64 << 10;

/// Becomes the tracer of a thread, which runs on (`PTRACE_SEIZE`).
///
/// # Errors
/// `EPERM` where it isn't permitted or another traces it, `ESRCH`.
pub fn seize(tid: i32, options: Options) -> io::Result<()> {
    Ok(nix::sys::ptrace::seize(Pid::from_raw(tid), options)?)
}

/// Asks a thread to stop as soon as it can (`PTRACE_INTERRUPT`). One that has stopped already stops
/// again as soon as it goes on, before any instruction of its program.
///
/// # Errors
/// `ESRCH`.
pub fn interrupt(tid: i32) -> io::Result<()> {
    Ok(nix::sys::ptrace::interrupt(Pid::from_raw(tid))?)
}

/// Lets a thread run on until something stops it, with this signal or 0 (`PTRACE_CONT`). A signal
/// that is the one it was about to get keeps what was sent along with it (`siginfo`).
///
/// # Errors
/// `ESRCH`.
pub fn cont(tid: i32, signal: i32) -> io::Result<()> {
    without_pointer(libc::PTRACE_CONT, tid, signal)
}

/// The same, and until it is before or behind a system call (`PTRACE_SYSCALL`).
///
/// # Errors
/// `ESRCH`.
pub fn syscall(tid: i32, signal: i32) -> io::Result<()> {
    without_pointer(libc::PTRACE_SYSCALL, tid, signal)
}

/// Leaves a thread in its group-stop, to be told when SIGCONT ends it (`PTRACE_LISTEN`).
///
/// # Errors
/// `ESRCH`.
pub fn listen(tid: i32) -> io::Result<()> {
    without_pointer(libc::PTRACE_LISTEN, tid, 0)
}

/// Lets a stopped thread go, with the signal that it was about to get, or 0 (`PTRACE_DETACH`). A
/// process that was stopped by a signal stays so.
///
/// # Errors
/// `ESRCH`.
pub fn detach(tid: i32, signal: i32) -> io::Result<()> {
    without_pointer(libc::PTRACE_DETACH, tid, signal)
}

fn without_pointer(request: libc::c_uint, tid: i32, signal: i32) -> io::Result<()> {
    // SAFETY: none of the four requests takes a pointer.
    check(unsafe { libc::ptrace(request as _, tid, 0_usize, signal as usize) })
}

/// The number that came with an event (`PTRACE_GETEVENTMSG`): a new thread's id, or the former id of
/// one that executed.
///
/// # Errors
/// `ESRCH`.
pub fn event_message(tid: i32) -> io::Result<i32> {
    Ok(nix::sys::ptrace::getevent(Pid::from_raw(tid))? as i32)
}

/// Registers of a stopped thread; `None` if it runs 32-bit code.
///
/// # Errors
/// `ESRCH`, and what ptrace(2) says otherwise.
pub fn registers(tid: i32) -> io::Result<Option<Registers>> {
    let mut registers = MaybeUninit::<Registers>::zeroed();
    let (start, length) = (registers.as_mut_ptr().cast(), size_of::<Registers>());
    // SAFETY: `registers` has so many bytes.
    let written = unsafe { register_set(libc::PTRACE_GETREGSET, tid, NT_PRSTATUS, start, length) };
    if written? != length {
        return Ok(None);
    }
    // SAFETY: made of integers, zeroed and then written by the kernel.
    Ok(Some(unsafe { registers.assume_init() }))
}

/// What the registers of a thread that runs 32-bit code on x86-64 say of its system call.
#[cfg(target_arch = "x86_64")]
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct I386Call {
    /// As `arch/x86/entry/syscalls/syscall_32.tbl` numbers them.
    pub number: u32,
    /// ebx, ecx, edx, esi, edi, ebp.
    pub args: [u32; 6],
    /// What it returned, for [`syscall_result`] with its sign.
    pub returned: u32,
}

/// The system call that a stopped thread of 32-bit code is in, or has come back from; `None` if it runs
/// 64-bit code.
///
/// # Errors
/// `ESRCH`, and what ptrace(2) says otherwise.
///
/// # References
/// `arch/x86/include/asm/user32.h`, `struct user_regs_struct32`
#[cfg(target_arch = "x86_64")]
pub fn i386_call(tid: i32) -> io::Result<Option<I386Call>> {
    // ebx, ecx, edx, esi, edi, ebp, eax, four segments, orig_eax, and five more.
    const I386_BYTES: usize = 17 * 4;
    let mut words = [0_u32; size_of::<Registers>() / 4];
    let (start, length) = (words.as_mut_ptr().cast(), size_of_val(&words));
    // SAFETY: `words` has so many bytes.
    let written = unsafe { register_set(libc::PTRACE_GETREGSET, tid, NT_PRSTATUS, start, length) };
    let [ebx, ecx, edx, esi, edi, ebp, returned, _, _, _, _, number, ..] = words;
    let args = [ebx, ecx, edx, esi, edi, ebp];
    Ok((written? == I386_BYTES).then_some(I386Call { number, args, returned }))
}

/// General registers by their numbers in unwind tables: rax, rdx, rcx, rbx, rsi, rdi, rbp, rsp, r8
/// to r15, rip.
///
/// # References
/// System V ABI for AMD64, figure 3.36, “DWARF Register Number Mapping”
#[cfg(target_arch = "x86_64")]
pub fn unwind_registers(registers: &Registers) -> [u64; 17] {
    let r = registers;
    [
        r.rax, r.rdx, r.rcx, r.rbx, r.rsi, r.rdi, r.rbp, r.rsp, r.r8, r.r9, r.r10, r.r11, r.r12,
        r.r13, r.r14, r.r15, r.rip,
    ]
}

/// Gives a stopped thread these registers.
///
/// # Errors
/// `ESRCH`, and what ptrace(2) says otherwise.
pub fn set_registers(tid: i32, registers: &Registers) -> io::Result<()> {
    let start = std::ptr::from_ref(registers).cast_mut().cast();
    let length = size_of::<Registers>();
    // SAFETY: `registers` has so many bytes, which are only read.
    unsafe { register_set(libc::PTRACE_SETREGSET, tid, NT_PRSTATUS, start, length) }.map(drop)
}

/// Reads or writes a register set; gives how many bytes that were.
///
/// # Safety
/// There are `length` bytes at `start`, to be written to unless the request is `SETREGSET`.
unsafe fn register_set(
    request: libc::c_uint,
    tid: i32,
    set: usize,
    start: *mut libc::c_void,
    length: usize,
) -> io::Result<usize> {
    let mut window = libc::iovec { iov_base: start, iov_len: length };
    // SAFETY: at most `iov_len` bytes at `iov_base` are read or written, by this function's own
    // condition, and the number of bytes goes to `iov_len`.
    check(unsafe { libc::ptrace(request as _, tid, set, &raw mut window) })?;
    Ok(window.iov_len)
}

/// Floating point and vector registers of a stopped thread: its whole XSAVE area, in the standard
/// format.
///
/// # Errors
/// `ESRCH`, and what ptrace(2) says otherwise.
#[cfg(target_arch = "x86_64")]
pub fn xstate(tid: i32) -> io::Result<Vec<u8>> {
    let mut area = vec![0_u8; XSAVE_MAXIMUM_BYTES];
    let (start, length) = (area.as_mut_ptr().cast(), area.len());
    // SAFETY: `area` has so many bytes.
    let written =
        unsafe { register_set(libc::PTRACE_GETREGSET, tid, NT_X86_XSTATE, start, length) };
    area.truncate(written?);
    Ok(area)
}

/// Gives a stopped thread these, as [`xstate`] gave them.
///
/// # Errors
/// `ESRCH`, and what ptrace(2) says otherwise.
#[cfg(target_arch = "x86_64")]
pub fn set_xstate(tid: i32, area: &[u8]) -> io::Result<()> {
    let (start, length) = (area.as_ptr().cast_mut().cast(), area.len());
    // SAFETY: `area` has so many bytes, which are only read.
    unsafe { register_set(libc::PTRACE_SETREGSET, tid, NT_X86_XSTATE, start, length) }.map(drop)
}

/// The signals that a stopped thread blocks; within a call such as ppoll(2), which has a mask of
/// its own, those that it will block afterwards.
///
/// # Errors
/// `ESRCH`, and what ptrace(2) says otherwise.
pub fn signal_mask(tid: i32) -> io::Result<u64> {
    let mut mask = 0_u64;
    // SAFETY: writes as many bytes as the third argument says, which `mask` has.
    check(unsafe { libc::ptrace(GET_SIGNAL_MASK as _, tid, SIGNAL_SET_BYTES, &raw mut mask) })?;
    Ok(mask)
}

/// Has a stopped thread block these signals; SIGKILL and SIGSTOP can't be.
///
/// # Errors
/// `ESRCH`, and what ptrace(2) says otherwise.
pub fn set_signal_mask(tid: i32, mask: u64) -> io::Result<()> {
    // SAFETY: reads as many bytes as the third argument says, which `mask` has.
    check(unsafe { libc::ptrace(SET_SIGNAL_MASK as _, tid, SIGNAL_SET_BYTES, &raw const mask) })
}

/// Where a signal that a thread is about to get comes from.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct SignalOrigin {
    /// `si_code`: how it was sent.
    pub code: i32,
    /// Its sender; meaningful only if it was sent.
    pub pid: i32,
}

/// Of the signal that a thread is about to get.
///
/// # Errors
/// `ESRCH`, and what ptrace(2) says otherwise.
pub fn signal_origin(tid: i32) -> io::Result<SignalOrigin> {
    let info = nix::sys::ptrace::getsiginfo(Pid::from_raw(tid))?;
    Ok(SignalOrigin {
        code: info.si_code,
        // SAFETY: an integer at this place of every siginfo_t, whatever it means.
        pid: unsafe { info.si_pid() },
    })
}

/// The address of a stopped thread's `struct rseq`; `None` if it has registered none.
///
/// # Errors
/// `EIO` before Linux 5.13, which doesn't tell.
pub fn rseq_address(tid: i32) -> io::Result<Option<u64>> {
    // Pointer, size, signature, flags, padding: `struct ptrace_rseq_configuration`.
    let mut configuration = [0_u64; 3];
    // SAFETY: writes at most as many bytes as the third argument says, which there are.
    let result = unsafe {
        libc::ptrace(
            GET_RSEQ_CONFIGURATION as _,
            tid,
            size_of_val(&configuration),
            configuration.as_mut_ptr(),
        )
    };
    check(result)?;
    Ok(Some(configuration[0]).filter(|&address| address != 0))
}

/// What the kernel tells about a stopped thread's system call.
///
/// # References
/// ptrace(2), `struct ptrace_syscall_info` (Linux 5.3)
#[repr(C)]
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct SyscallInfo {
    /// [`ENTRY`](Self::ENTRY), [`EXIT`](Self::EXIT), [`SECCOMP`](Self::SECCOMP), or 0 for none.
    pub op: u8,
    pad: [u8; 3],
    /// `AUDIT_ARCH_*` of the code that the thread runs.
    pub architecture: u32,
    instruction_pointer: u64,
    stack_pointer: u64,
    /// At a SECCOMP stop: number and six arguments. At an EXIT stop: returned value, and in the
    /// low byte of the second word whether that is an error.
    pub data: [u64; 8],
}

impl SyscallInfo {
    /// At the entry of a call.
    pub const ENTRY: u8 = 1;
    /// At its exit.
    pub const EXIT: u8 = 2;
    /// At a seccomp filter.
    pub const SECCOMP: u8 = 3;
}

/// Asks for [`SyscallInfo`].
///
/// # Errors
/// `ESRCH`, and what ptrace(2) says otherwise.
pub fn syscall_info(tid: i32) -> io::Result<SyscallInfo> {
    let mut info = MaybeUninit::<SyscallInfo>::zeroed();
    // SAFETY: writes at most as many bytes as the third argument says, to `info`, which has them.
    let result = unsafe {
        libc::ptrace(GET_SYSCALL_INFO as _, tid, size_of::<SyscallInfo>(), info.as_mut_ptr())
    };
    check(result)?;
    // SAFETY: made of integers, zeroed and then written by the kernel.
    Ok(unsafe { info.assume_init() })
}

fn check(result: libc::c_long) -> io::Result<()> {
    match result {
        -1 => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}

/// What a system call returned, as the register has it: the 4,095 highest values are error numbers.
///
/// # Errors
/// The error number (positive).
pub fn syscall_result(returned: u64) -> Result<u64, i32> {
    match returned as i64 {
        error @ -4095..0 => Err(-error as i32),
        _ => Ok(returned),
    }
}
