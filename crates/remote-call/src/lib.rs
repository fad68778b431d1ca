//! Have a running process call one of its own functions, and leave it as it was.
//!
//! [`Held::hold`] stops all threads of a process, [`Held::call`] has one of them call a function of
//! the process, given by its address (or [`Held::make`], with data that it may read and change, or
//! by a certain thread), and [`Held::release`] lets it run on. This crate knows nothing of what it
//! calls. The README has an example.
//!
//! # Why it is safe to be killed
//!
//! When a tracer dies, by `kill -9` or the machine's lack of memory, the kernel lets go of all that
//! it traced, and the threads run on with whatever registers they have (ptrace(2); Linux
//! `kernel/ptrace.c`, `exit_ptrace`). So a thread must never have registers that only the tracer
//! could put right again.
//!
//! A call is therefore made to look like a signal's handler. Below the thread's stack and its red
//! zone goes what the kernel itself puts there when it delivers a signal: a frame with all general
//! registers, the whole XSAVE area (x87, SSE, AVX and what else the processor has) and the signal
//! mask. Then the thread's registers are set to the function, with the return address of handlers:
//! code of the C library that calls `rt_sigreturn`, by which the kernel gives everything back from
//! the frame. Once the frame is there, the tracer isn't needed any more.
//!
//! | step | if the tracer dies after it |
//! |---|---|
//! | the frame is written below the red zone | nobody reads it |
//! | the registers are set to the function | it is called and returns through the frame |
//! | signals are blocked | the same, and the frame has the old mask |
//! | a signal without effect is made to wait | it has none when the frame's mask lets it through |
//! | the function returns, that signal comes, and the thread stops before `rt_sigreturn` | the signal is ignored, and `rt_sigreturn` is done |
//! | the signal is dropped | `rt_sigreturn` is done |
//! | the mask is restored, then the vector registers | the same |
//! | the general registers are restored, in one request | all is as before |
//!
//! The signal is how the tracer sees the end, since a stop at each system call of the function would
//! take far longer than the call. It is SIGURG or SIGWINCH, whichever the program has no handler for
//! and doesn't block, and it waits, blocked, for this thread alone. On its way back the thread comes
//! through a first frame that lets only this signal through, and stops, as a traced thread does for
//! any signal; one that isn't traced any more ignores it. Where the program has a use for both, or
//! a signal may not be sent, the thread stops at all system calls, and at `rt_sigreturn` in
//! whose place `getpid` is done, with the instruction pointer set to before that code.
//!
//! The last steps are there because the kernel, on `rt_sigreturn`, forgets what it remembers of an
//! interrupted system call (`restart_block`), such as how much of a sleep is left. A tracer that
//! lives ends the call without `rt_sigreturn`, in a stop from which the kernel goes on with that
//! system call as after any stop. A thread that was interrupted in such a system call has no first
//! frame, whose `rt_sigreturn` would be one too many: it, too, stops at all system calls.
//!
//! No disposition is changed, no page mapped, and no code written.
//!
//! # What the process notices
//!
//! - The time. [`Held::stood_still`] says how long it was.
//! - System calls that end with `EINTR` after any stop, such as `epoll_wait`, do so after a hold,
//!   called or not (signal(7), “Interruption of system calls … by stop signals”). All others, such as
//!   `read`, `nanosleep`, `poll`, `ppoll` and waits for a futex, go on with what is left of them.
//!   If the caller is killed within the call, the sleeping ones (those that the kernel restarts by
//!   `restart_syscall`) end with `EINTR`, as after a handler.
//! - Signals that come meanwhile wait, and one that nobody has a use for is seen to wait
//!   (`SigPnd` in `/proc/PID/task/TID/status`). SIGSTOP takes effect when the process is let go.
//! - Bytes below the red zone, where the frame and the function's own frames were, are not put back:
//!   by the ABI they are nobody's, and any handler would have overwritten them.
//! - The function's doings: what it changes, and that it changes `errno` of the thread that calls.
//!
//! # What it can't help
//!
//! - *A function that doesn't return.* After the patience that was given, or as soon as it is asked
//!   for ([`Interrupt`]), all is let go ([`CallError::TimedOut`], [`CallError::Interrupted`]). The thread is within the function still, with its signals blocked,
//!   and goes on where it was when the function returns. Nothing can be taken back from outside, as
//!   nobody knows what the function has begun. All other threads stand still during the call, so a
//!   function that waits for a lock which one of them has waits in vain until then: see to it that
//!   none has, and let go if one does.
//! - *A function that crashes*, as malloc does on purpose when it finds its heap damaged. The
//!   signal is kept from the process and the thread is put back, but the function isn't done: a
//!   half-made change stays so, and a lock stays locked ([`CallError::Crashed`]). If the tracer is
//!   killed in the moment between a crash and that, the process dies of the crash, as it would have
//!   of its own call. A thread that blocks the signal of its crash has the disposition of that
//!   signal reset by the kernel, as ever.
//! - *A thread in a handler on an alternate stack that lies within its main stack.* From outside
//!   it looks like one on its main stack; the call then overwrites what is below.
//! - *A restartable sequence* (rseq(2)) under way is seen from Linux 5.13 on; a thread in one isn't
//!   used. Glibc's own stack guards, from glibc 2.42 on, are seen from Linux 6.15 on.
//! - *Two that ask*: another thread of this process that waits for any child (`waitpid(-1)`) while a
//!   process is held may take the news that the tracing thread waits for, which then waits until its
//!   patience ends. Waiting for a certain child does no harm unless it is the one that is held.
//!
//! Signals are the caller's business: this crate has no handlers. Ctrl-C in the middle is as
//! harmless as `kill -9`; who wants to end in words has a handler ask an [`Interrupt`].
//!
//! # References
//! Checked on Linux 6.18: ptrace(2); sigreturn(2); signal(7); `arch/x86/kernel/signal_64.c`
//! (`x64_setup_rt_frame`, `rt_sigreturn`), `arch/x86/kernel/fpu/signal.c` (`fpu__restore_sig`),
//! `arch/x86/kernel/signal.c` (`arch_do_signal_or_restart`), `kernel/signal.c` (`ptrace_stop`,
//! `do_jobctl_trap`, `force_sig_info_to_task`), `kernel/ptrace.c` (`PTRACE_SETSIGMASK`, `exit_ptrace`).
//!
//! x86-64 Linux, 64-bit programs; on other machines [`Held::hold`] says so.
#![cfg_attr(all(doctest, target_arch = "x86_64"), doc = include_str!("../README.md"))]
#![deny(unsafe_code)]

#[cfg(test)]
use suite as _;

mod error;
mod held;
mod request;
#[cfg(target_arch = "x86_64")]
mod x86_64;

pub use error::{CallError, Error, Unfit};
pub use held::Held;
pub use request::{Argument, Call, HeldThread, HoldOptions, Interrupt, Returned};
