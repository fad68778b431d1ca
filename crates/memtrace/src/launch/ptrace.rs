//! The few ptrace requests that the launcher makes, and the wait that feeds it.
//!
//! # Safety
//! ptrace reads and writes the *tracer's* memory only where a request takes a pointer; each
//! function below that passes one says what it points to. A request for a thread that isn't
//! stopped or isn't ours fails with `ESRCH` and does nothing. That is also what happens when a
//! thread was killed while it stood still, so that no caller may take `ESRCH` for an error.
#![allow(unsafe_code)]

use std::ffi::c_long;
use std::io;
use std::mem::MaybeUninit;

/// How a thread goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Until {
    /// Until the next thing of interest: a watched call, a signal, a birth, its end.
    Event,
    /// Until the call that it stands before has come back.
    CallDone,
}

/// Makes the calling thread the tracer of `pid`, a child of it, from now to its end: should the
/// tracer end first, the kernel kills what it traces. With `exits`, threads also stop when they are
/// about to end.
pub(crate) fn seize(pid: i32, exits: bool) -> io::Result<()> {
    let exits = if exits { libc::PTRACE_O_TRACEEXIT } else { 0 };
    let options = exits
        | libc::PTRACE_O_TRACESYSGOOD
        | libc::PTRACE_O_TRACESECCOMP
        | libc::PTRACE_O_TRACEFORK
        | libc::PTRACE_O_TRACEVFORK
        | libc::PTRACE_O_TRACECLONE
        | libc::PTRACE_O_TRACEEXEC
        | libc::PTRACE_O_EXITKILL;
    // SAFETY: SEIZE takes no pointer, its last argument is a set of flags.
    check(unsafe { libc::ptrace(libc::PTRACE_SEIZE, pid, 0_usize, options as usize) })
}

/// Lets a stopped thread go on, with a signal or 0 for none. A signal that is the one it was about
/// to get keeps what was sent along with it (`siginfo`).
pub(crate) fn restart(tid: i32, until: Until, signal: i32) {
    let request = match until {
        Until::Event => libc::PTRACE_CONT,
        Until::CallDone => libc::PTRACE_SYSCALL,
    };
    // SAFETY: neither request takes a pointer. It can only fail because the thread was killed,
    // which the next wait will tell.
    unsafe { libc::ptrace(request, tid, 0_usize, signal as usize) };
}

/// Leaves a thread in its group stop, to be told when SIGCONT ends it.
pub(crate) fn listen(tid: i32) {
    // SAFETY: LISTEN takes no pointer; fails only if the thread was killed.
    unsafe { libc::ptrace(libc::PTRACE_LISTEN, tid, 0_usize, 0_usize) };
}

/// The number that came with an event: a new thread's id, or the former id of one that executed.
pub(crate) fn event_message(tid: i32) -> io::Result<i32> {
    let mut message: libc::c_ulong = 0;
    // SAFETY: GETEVENTMSG writes one unsigned long to `message`.
    let result = unsafe { libc::ptrace(libc::PTRACE_GETEVENTMSG, tid, 0_usize, &raw mut message) };
    check(result)?;
    Ok(message as i32)
}

/// General registers of a stopped thread that runs native (64-bit) code; `None` if it doesn't.
#[cfg(target_arch = "x86_64")]
pub(crate) fn registers(tid: i32) -> io::Result<Option<libc::user_regs_struct>> {
    const NT_PRSTATUS: usize = 1;
    let mut registers = MaybeUninit::<libc::user_regs_struct>::zeroed();
    let mut window = libc::iovec {
        iov_base: registers.as_mut_ptr().cast(),
        iov_len: size_of_val(&registers),
    };
    // SAFETY: GETREGSET writes at most `iov_len` bytes to `iov_base`, which is that large, and the
    // number of bytes written to `iov_len`.
    let result = unsafe { libc::ptrace(libc::PTRACE_GETREGSET, tid, NT_PRSTATUS, &raw mut window) };
    check(result)?;
    if window.iov_len != size_of_val(&registers) {
        return Ok(None);
    }
    // SAFETY: made of integers, zeroed and then written by the kernel.
    Ok(Some(unsafe { registers.assume_init() }))
}

/// What the kernel tells about a stopped thread's system call.
///
/// # References
/// ptrace(2), `struct ptrace_syscall_info` (Linux 5.3)
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub(crate) struct SyscallInfo {
    /// [`SyscallInfo::EXIT`], [`SyscallInfo::SECCOMP`], or of no interest here.
    pub(crate) op: u8,
    pad: [u8; 3],
    /// `AUDIT_ARCH_*` of the code that the thread runs.
    pub(crate) architecture: u32,
    instruction_pointer: u64,
    stack_pointer: u64,
    /// At a SECCOMP stop: number and six arguments. At an EXIT stop: returned value, and in the
    /// low byte of the second word whether that is an error.
    pub(crate) data: [u64; 8],
}

impl SyscallInfo {
    pub(crate) const EXIT: u8 = 2;
    pub(crate) const SECCOMP: u8 = 3;
}

/// Asks for [`SyscallInfo`].
pub(crate) fn syscall_info(tid: i32) -> io::Result<SyscallInfo> {
    let mut info = MaybeUninit::<SyscallInfo>::zeroed();
    // PTRACE_GET_SYSCALL_INFO, which libc lacks for some C libraries.
    // SAFETY: writes at most as many bytes as the third argument says, to `info`, which has them.
    let result = unsafe { libc::ptrace(0x420e, tid, size_of::<SyscallInfo>(), info.as_mut_ptr()) };
    check(result)?;
    // SAFETY: made of integers, zeroed and then written by the kernel.
    Ok(unsafe { info.assume_init() })
}

/// Waits for the next report from a child or tracee *of the calling thread* (`__WNOTHREAD`): what
/// other threads of the host have started is theirs to wait for. `None`: there are none left.
pub(crate) fn wait_any() -> io::Result<Option<(i32, i32)>> {
    let mut status = 0;
    loop {
        // SAFETY: writes one int to `status`.
        let tid = unsafe { libc::waitpid(-1, &mut status, libc::__WALL | libc::__WNOTHREAD) };
        if tid > 0 {
            return Ok(Some((tid, status)));
        }
        let error = io::Error::last_os_error();
        match error.raw_os_error() {
            Some(libc::EINTR) => {}
            Some(libc::ECHILD) => return Ok(None),
            _ => return Err(error),
        }
    }
}

/// Ends a process that this thread traces or has forked, and has not yet waited for: so its number
/// still belongs to it.
pub(crate) fn kill_unreaped(pid: i32) {
    // SAFETY: kill takes integers; that the number is still its own, the caller sees to.
    unsafe { libc::kill(pid, libc::SIGKILL) };
}

/// Blocks every signal but SIGCHLD in the calling thread and returns what was blocked before.
///
/// Each stop of a traced thread sends SIGCHLD to its tracer. Where that is not blocked and has its
/// default action, the kernel drops it at once; blocked, it would wake another thread of the host,
/// twice for each watched call.
pub(crate) fn block_signals() -> libc::sigset_t {
    let mut blocked = MaybeUninit::uninit();
    let mut before = crate::target::empty_signal_set();
    // SAFETY: sigfillset writes the whole set.
    unsafe { libc::sigfillset(blocked.as_mut_ptr()) };
    // SAFETY: the set was just written, and SIGCHLD is a signal.
    unsafe { libc::sigdelset(blocked.as_mut_ptr(), libc::SIGCHLD) };
    // SAFETY: `blocked` was just written, `before` is writable; both outlive the call, which can't
    // fail for these arguments.
    unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, blocked.as_ptr(), &mut before) };
    before
}

fn check(result: c_long) -> io::Result<()> {
    if result == -1 {
        Err(io::Error::last_os_error())
    } else {
        Ok(())
    }
}
