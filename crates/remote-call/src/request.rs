//! What passes between a held process's value and the thread that traces it, and how it is asked
//! from elsewhere that the process be let go.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Sender;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use crate::CallError;

/// A thread of a held process.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct HeldThread {
    /// Its number.
    pub tid: i32,
    /// The address of the instruction at which it stands.
    pub instruction_pointer: u64,
    /// The address to which its stack has grown.
    pub stack_pointer: u64,
    /// The number of the system call in which it was interrupted; `None` if it was in its program.
    pub system_call: Option<i64>,
    /// Its general registers by their numbers in unwind tables: rax, rdx, rcx, rbx, rsi, rdi, rbp,
    /// rsp, r8 to r15, rip. Whoever follows the thread's stack needs them, and can't ask the kernel
    /// for them, as that tells only the tracing thread.
    pub registers: [u64; 17],
}

impl HeldThread {
    /// Whether it is a worker that the kernel made in the process (io_uring's), which never runs the
    /// program's code: to tracers it shows itself without instruction and stack pointer.
    ///
    /// # References
    /// Linux 6.18: `arch/x86/kernel/process.c` (`copy_thread`)
    pub fn is_kernel_worker(&self) -> bool {
        self.instruction_pointer == 0 && self.stack_pointer == 0
    }
}

/// What to hold although it may go wrong, and who may ask that it be let go.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct HoldOptions {
    /// Hold a process with a seccomp filter, too.
    pub allow_seccomp: bool,
    /// Who waits for the process to stand still, or for a call, lets it go when this is asked.
    pub interrupt: Interrupt,
}

impl HoldOptions {
    /// Holds a process that has a seccomp filter, too. A system call of the function, or the
    /// `getpid` or `rt_sigreturn` at its end, may be refused by it; a filter that *kills* at such
    /// a call kills the process.
    #[must_use]
    pub fn allow_seccomp(mut self, allow: bool) -> Self {
        self.allow_seccomp = allow;
        self
    }

    /// Lets the process go as soon as this is asked: no call is begun any more, and one under way
    /// is left to itself ([`CallError::Interrupted`] says what that means).
    #[must_use]
    pub fn interrupted_by(mut self, interrupt: &Interrupt) -> Self {
        self.interrupt = interrupt.clone();
        self
    }
}

/// Asks, from another thread or a signal's handler, that whoever waits for a process let it go at
/// once. It is asked once and for all; copies are one.
#[derive(Clone, Debug, Default)]
pub struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    /// Asks. What a hold or a call under way gives then is
    /// [`Error::Interrupted`](crate::Error::Interrupted) or
    /// [`CallError::Interrupted`](crate::CallError::Interrupted).
    pub fn ask(&self) {
        self.0.store(true, Ordering::Release);
    }

    /// Whether it was asked.
    #[must_use]
    pub fn is_asked(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

/// No call has more data: it takes of the room that was found on the stack.
pub(crate) const MOST_DATA_BYTES: usize = 4096;

/// What a function is called with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Argument {
    /// A number, or an address in the process.
    Value(u64),
    /// The address of the byte at this offset of the call's data.
    Data(usize),
}

/// A call that a held process is to make.
#[derive(Clone, Debug)]
#[must_use = "nothing is called before Held::make"]
pub struct Call<'a> {
    pub(crate) function: u64,
    pub(crate) data: &'a [u8],
    pub(crate) arguments: &'a [Argument],
    pub(crate) thread: Option<i32>,
}

impl<'a> Call<'a> {
    /// A call of the function at this address, without arguments.
    pub fn of(function: u64) -> Self {
        Self { function, data: &[], arguments: &[], thread: None }
    }

    /// Its arguments.
    pub fn with(self, arguments: &'a [Argument]) -> Self {
        Self { arguments, ..self }
    }

    /// Puts these bytes on the stack of the thread that calls, at a multiple of 16, where the
    /// function may read and change them until it returns: [`Returned::data`] has them then.
    pub fn with_data(self, data: &'a [u8]) -> Self {
        Self { data, ..self }
    }

    /// Has this thread make it, and no other.
    pub fn by(self, tid: i32) -> Self {
        Self { thread: Some(tid), ..self }
    }
}

/// What a call has left.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Returned {
    /// The function's value; of one that returns nothing it means nothing.
    pub value: u64,
    /// The call's data, as the function has left it.
    pub data: Vec<u8>,
}

/// What a call begins with.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) function: u64,
    pub(crate) data: Vec<u8>,
    pub(crate) arguments: [Argument; 6],
}

#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) entry: Entry,
    pub(crate) thread: Option<i32>,
    pub(crate) patience: Duration,
    pub(crate) answer: Sender<Result<Returned, CallError>>,
}

/// What the tracing thread answers first: who stands still, and since when.
pub(crate) type Holding = (Vec<HeldThread>, Instant);

/// What the tracing thread leaves in writing.
#[derive(Debug, Default)]
pub(crate) struct HoldRecord {
    tracer: OnceLock<i32>,
    pub(crate) stood_still: OnceLock<Duration>,
}

impl HoldRecord {
    pub(crate) fn tracer_is(&self, tid: i32) {
        self.tracer.get_or_init(|| tid);
    }

    /// How long the process was held in all; it runs again.
    pub(crate) fn stood_still(&self, duration: Duration) {
        self.stood_still.get_or_init(|| duration);
    }

    /// Waits for the tracing thread's end in the kernel, which is what lets go of a thread that
    /// doesn't stand still. A join returns a moment before.
    pub(crate) fn wait_for_end(&self) {
        const LOOKS: usize = 10_000;
        let Some(tid) = self.tracer.get() else { return };
        let path = format!("/proc/self/task/{tid}");
        for _ in 0..LOOKS {
            if !std::fs::exists(&path).unwrap_or(false) {
                return;
            }
            std::thread::yield_now();
        }
    }
}
