//! A process that stands still.
// Elsewhere nobody answers requests.
#![cfg_attr(not(target_arch = "x86_64"), allow(dead_code))]

use std::sync::mpsc::{self, Sender};
use std::sync::{Arc, OnceLock};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::{CallError, Error, Interrupt};

/// A live process, all of whose threads stand still. They go on when this value is dropped, and
/// also when this process ends in whatever way.
///
/// A thread of its own does the tracing, so this value may go from thread to thread.
#[derive(Debug)]
pub struct Held {
    pid: i32,
    threads: Vec<HeldThread>,
    since: Instant,
    record: Arc<CrashRecord>,
    /// `None` once it is being let go, which is what the tracing thread waits for.
    requests: Option<Sender<Request>>,
    tracer: Option<JoinHandle<()>>,
}

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

/// What is asked of the tracing thread.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) function: u64,
    pub(crate) arguments: [u64; 6],
    pub(crate) patience: Duration,
    pub(crate) answer: Sender<Result<u64, CallError>>,
}

/// What the tracing thread answers first: who stands still, and since when.
pub(crate) type Holding = (Vec<HeldThread>, Instant);

/// What the tracing thread leaves in writing.
#[derive(Debug, Default)]
pub(crate) struct CrashRecord {
    tracer: OnceLock<i32>,
    stood_still: OnceLock<Duration>,
}

impl CrashRecord {
    /// The tracing thread's number.
    pub(crate) fn tracer_is(&self, tid: i32) {
        self.tracer.get_or_init(|| tid);
    }

    /// How long the process was held in all; it runs again.
    pub(crate) fn stood_still(&self, duration: Duration) {
        self.stood_still.get_or_init(|| duration);
    }

    /// Waits for the tracing thread's end in the kernel, which is what lets go of a thread that
    /// doesn't stand still. A join returns a moment before.
    fn wait_for_end(&self) {
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

impl Held {
    /// Stops all threads of a process.
    ///
    /// `patience` is how long is waited for them to stand still; most do so at once.
    ///
    /// # Errors
    ///
    /// See [`Error`]; the process runs on, or is stopped, as before.
    pub fn hold(pid: i32, patience: Duration) -> Result<Self, Error> {
        Self::hold_with(pid, patience, HoldOptions::default())
    }

    /// As [`hold`](Self::hold), with options.
    ///
    /// # Errors
    ///
    /// See [`Error`].
    pub fn hold_with(pid: i32, patience: Duration, options: HoldOptions) -> Result<Self, Error> {
        let (requests, asked) = mpsc::channel();
        let (answer, answered) = mpsc::channel();
        let record = Arc::new(CrashRecord::default());
        let shared = Arc::clone(&record);
        let trace = move || run(pid, patience, &options, &answer, &asked, &shared);
        let tracer = std::thread::Builder::new()
            .name("remote-call".into())
            .spawn(trace)
            .map_err(|source| Error::HeldThread { source })?;
        let answer = answered.recv().unwrap_or(Err(Error::Gone { pid }));
        match answer {
            Ok((threads, since)) => Ok(Self {
                pid,
                threads,
                since,
                record,
                requests: Some(requests),
                tracer: Some(tracer),
            }),
            Err(error) => {
                let _ = tracer.join();
                record.wait_for_end();
                Err(error)
            }
        }
    }

    /// The process's number.
    #[must_use]
    pub fn pid(&self) -> i32 {
        self.pid
    }

    /// The threads, and where they stood when they were stopped.
    #[must_use]
    pub fn threads(&self) -> &[HeldThread] {
        &self.threads
    }

    /// How long the process has stood still: from when the first thread was asked to stop until
    /// now, or until all were let go.
    #[must_use]
    pub fn stood_still(&self) -> Duration {
        let ended = self.record.stood_still.get().copied();
        ended.unwrap_or_else(|| self.since.elapsed())
    }

    /// Has one thread call the function at this address, which returns a number or nothing (then
    /// the value means nothing). The others stand still meanwhile.
    ///
    /// # Errors
    ///
    /// See [`CallError`].
    pub fn call(
        &self,
        function: u64,
        arguments: &[u64],
        patience: Duration,
    ) -> Result<u64, CallError> {
        let pid = self.pid;
        let given = arguments.len();
        let mut registers = [0; 6];
        registers
            .get_mut(..given)
            .ok_or(CallError::Arguments { given })?
            .copy_from_slice(arguments);
        let (answer, answered) = mpsc::channel();
        let request = Request {
            function,
            arguments: registers,
            patience,
            answer,
        };
        let requests = self.requests.as_ref();
        let sent = requests.is_some_and(|requests| requests.send(request).is_ok());
        let answer = sent.then(|| answered.recv().ok()).flatten();
        let answer = answer.unwrap_or(Err(CallError::Released { pid }));
        if self.record.stood_still.get().is_some() {
            self.record.wait_for_end();
        }
        answer
    }

    /// Lets the process go, and says how long it stood still. Dropping does the same.
    pub fn release(mut self) -> Duration {
        self.let_go();
        self.stood_still()
    }

    fn let_go(&mut self) {
        self.requests = None;
        if let Some(tracer) = self.tracer.take() {
            // Should it have panicked, the kernel has let go of the process.
            let _ = tracer.join();
            self.record.wait_for_end();
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.let_go();
    }
}

#[cfg(target_arch = "x86_64")]
use crate::x86_64::run;

#[cfg(not(target_arch = "x86_64"))]
fn run(
    _: i32,
    _: Duration,
    _: &HoldOptions,
    answer: &Sender<Result<Holding, Error>>,
    _: &mpsc::Receiver<Request>,
    _: &CrashRecord,
) {
    // Nobody waits for it any more if this fails.
    let _ = answer.send(Err(Error::Architecture));
}
