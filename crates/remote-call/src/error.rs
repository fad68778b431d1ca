//! Why a process isn't held, and why it didn't make a call.

use std::io;
use std::time::Duration;

use thiserror::Error as ThisError;
use tracee::Permission;

/// Why [`Held::hold`](crate::Held::hold) let a process go on. It runs as before then.
#[derive(Debug, ThisError)]
#[non_exhaustive]
#[allow(missing_docs, reason = "each sentence names its fields")]
pub enum Error {
    /// This isn't x86-64.
    #[error(
        "having a process call a function works on x86-64 only, this is {}",
        std::env::consts::ARCH
    )]
    Architecture,
    /// Nothing has that number.
    #[error("there is no process {pid}: `ps -e` lists those that are there")]
    NoSuchProcess { pid: i32 },
    /// The number is that of a thread, not of a process.
    #[error("{tid} is a thread of process {pid}: give {pid}")]
    IsThread { tid: i32, pid: i32 },
    /// The process is this one.
    #[error("process {pid} is this one; a process can't hold itself")]
    Own { pid: i32 },
    /// It ended and waits for its parent to notice.
    #[error("process {pid} has ended; its parent hasn't noticed yet (it is a zombie)")]
    Zombie { pid: i32 },
    /// It is a part of the kernel.
    #[error("process {pid} is a thread of the kernel: it has no program and no functions to call")]
    KernelThread { pid: i32 },
    /// A debugger or a tracer has it.
    #[error(
        "process {pid} is traced by process {tracer} ({name}) already, and only one can trace it: \
         end that one or have it let go"
    )]
    Traced {
        pid: i32,
        /// Who traces it; 0 if that isn't visible from here.
        tracer: i32,
        name: String,
    },
    /// SIGSTOP, Ctrl-Z or the like has stopped it.
    #[error(
        "process {pid} is stopped by a signal (Ctrl-Z or SIGSTOP) and left so: \
         `kill -CONT {pid}` has it run on"
    )]
    Stopped { pid: i32 },
    /// The kernel refused.
    #[error("not permitted to trace process {pid} ({source}): {permission}")]
    NotPermitted { pid: i32, permission: Permission, source: io::Error },
    /// It runs 32-bit code.
    #[error("thread {tid} of process {pid} runs 32-bit code; only 64-bit programs can be held")]
    Foreign { pid: i32, tid: i32 },
    /// The processor checks its return addresses.
    #[error(
        "thread {tid} of process {pid} has a shadow stack (x86_Thread_features: shstk), so that \
         the processor refuses a call that the program didn't make"
    )]
    ShadowStack { pid: i32, tid: i32 },
    /// Its system calls are filtered.
    #[error(
        "process {pid} has a seccomp filter, which may refuse a system call of the function or \
         kill the process for it: allow that with `Options::allow_seccomp` if the function's \
         system calls are known to be permitted"
    )]
    Seccomp { pid: i32 },
    /// A thread didn't stop in time.
    #[error(
        "thread {tid} of process {pid} did not stop within {waited:?} (its state is {state}; D is \
         a wait in the kernel that nothing interrupts, such as for a disk or a vfork's child): \
         all was let go, try again later or with more patience"
    )]
    Restless {
        pid: i32,
        tid: i32,
        /// As `/proc/PID/task/TID/stat` has it.
        state: char,
        waited: Duration,
    },
    /// Somebody asked that it be let go before all of its threads stood still.
    #[error("process {pid} was let go again before it stood still, as was asked for")]
    Interrupted { pid: i32 },
    /// It ended while it was being stopped.
    #[error("process {pid} ended before it stood still")]
    Gone { pid: i32 },
    /// A step failed that ought not to.
    #[error("cannot {step} of thread {tid}: {source}")]
    Step { tid: i32, step: &'static str, source: io::Error },
    /// This process has no room for another thread.
    #[error("cannot start the thread that traces: {source}")]
    HeldThread { source: io::Error },
}

/// Why [`Held::call`](crate::Held::call) gave no value.
#[derive(Debug, ThisError)]
#[non_exhaustive]
#[allow(missing_docs, reason = "each sentence names its fields")]
pub enum CallError {
    /// More arguments than registers carry.
    #[error("{given} arguments were given; at most 6 can be passed in registers")]
    Arguments { given: usize },
    /// More data than there is sure to be room for, or an argument's address beyond them.
    #[error(
        "{bytes} bytes of data were given; at most 4096 are put on a thread's stack, and no \
         argument points beyond them"
    )]
    Data { bytes: usize },
    /// The address isn't one of code.
    #[error("nothing that the process may execute is mapped at {address:#x}: see /proc/{pid}/maps")]
    NotCode { pid: i32, address: u64 },
    /// No thread is in a state in which it could make the call.
    #[error(
        "no thread of process {pid} can make the call now, of {}; {}",
        .reasons.len(), listed(.reasons)
    )]
    NoThread { pid: i32, reasons: Vec<(i32, Unfit)> },
    /// The process has no code that a call could safely return to.
    #[error(
        "no library of process {pid} has {missing}, which the call has to return to; glibc and \
         musl have it"
    )]
    NoWayBack { pid: i32, missing: &'static str },
    /// The function ran into an error. The thread stands where it stood before the call.
    #[error(
        "the function crashed in thread {tid} with signal {signal} at {instruction_pointer:#x}. \
         The thread was put back to where it was, but the function did not finish: what it had \
         changed stays changed and what it had locked stays locked"
    )]
    Crashed { tid: i32, signal: i32, instruction_pointer: u64 },
    /// The function didn't return in time. The process was let go and still is within the call.
    #[error(
        "the function did not return to thread {tid} within {waited:?}. All threads were let go; \
         when it returns, that thread goes on where it was interrupted, and until then it blocks \
         its signals"
    )]
    TimedOut { tid: i32, waited: Duration },
    /// Somebody asked that the process be let go before the function had returned. It runs, within
    /// the call still: what the function has begun nobody else can end, and what it had locked
    /// another thread may wait for. So the call isn't torn out of the thread but left to it.
    #[error(
        "all threads were let go before the function had returned to thread {tid}, as was asked \
         for; when it returns, that thread goes on where it was interrupted, and until then it \
         blocks its signals"
    )]
    Interrupted { tid: i32 },
    /// Somebody had asked that the process be let go before the call began.
    #[error("process {pid} is to be let go, so no call was begun")]
    NotBegun { pid: i32 },
    /// The thread ended in the middle; mostly because the process was killed.
    #[error("thread {tid} ended during the call (was process {pid} killed?)")]
    Gone { pid: i32, tid: i32 },
    /// An earlier call didn't return, so that the process is no longer held.
    #[error("process {pid} is no longer held")]
    Released { pid: i32 },
    /// A step failed that ought not to.
    #[error("cannot {step} of thread {tid}: {source}")]
    Step { tid: i32, step: &'static str, source: io::Error },
}

/// Why a thread can't make a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ThisError)]
#[non_exhaustive]
pub enum Unfit {
    /// Its stack pointer isn't in a stack that the C library or the kernel made.
    #[error("its stack is neither the main one nor one of the C library's")]
    UnknownStack,
    /// Too little is left of its stack.
    #[error("less than 64 KiB of its stack is left")]
    SmallStack,
    /// It is in a sequence that must begin anew when it is interrupted.
    #[error("it is within a restartable sequence (rseq)")]
    RestartableSequence,
    /// Its processor checks return addresses.
    #[error("it has a shadow stack")]
    ShadowStack,
    /// Its system calls are filtered, and that wasn't allowed.
    #[error("it has a seccomp filter")]
    Seccomp,
    /// It has ended, or is about to.
    #[error("it has ended")]
    Ended,
}

/// At most three of them.
fn listed(reasons: &[(i32, Unfit)]) -> String {
    const SHOWN: usize = 3;
    let shown = reasons.iter().take(SHOWN);
    let mut list: Vec<_> = shown.map(|(tid, reason)| format!("thread {tid}: {reason}")).collect();
    if reasons.len() > SHOWN {
        list.push("and so on".into());
    }
    list.join("; ")
}
