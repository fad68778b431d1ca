//! A process that stands still.
// Elsewhere nobody answers requests.
#![cfg_attr(not(target_arch = "x86_64"), allow(dead_code))]

use std::sync::Arc;
use std::sync::mpsc::{self, Sender};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::request::{
    Argument, Call, Entry, HeldThread, HoldOptions, HoldRecord, MOST_DATA_BYTES, Request, Returned,
};
use crate::{CallError, Error};

/// A live process, all of whose threads stand still. They go on when this value is dropped, and
/// also when this process ends in whatever way.
///
/// A thread of its own does the tracing, so this value may go from thread to thread.
#[derive(Debug)]
pub struct Held {
    pid: i32,
    threads: Vec<HeldThread>,
    since: Instant,
    record: Arc<HoldRecord>,
    /// `None` once it is being let go, which is what the tracing thread waits for.
    requests: Option<Sender<Request>>,
    tracer: Option<JoinHandle<()>>,
}

impl Held {
    /// Stops all threads of a process.
    ///
    /// `patience` is how long is waited for them to stand still; most do so at once.
    ///
    /// # Errors
    /// See [`Error`]; the process runs on, or is stopped, as before.
    pub fn hold(pid: i32, patience: Duration) -> Result<Self, Error> {
        Self::hold_with(pid, patience, HoldOptions::default())
    }

    /// As [`hold`](Self::hold), with options.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn hold_with(pid: i32, patience: Duration, options: HoldOptions) -> Result<Self, Error> {
        let (requests, asked) = mpsc::channel();
        let (answer, answered) = mpsc::channel();
        let record = Arc::new(HoldRecord::default());
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
    pub fn pid(&self) -> i32 {
        self.pid
    }

    /// The threads, and where they stood when they were stopped.
    pub fn threads(&self) -> &[HeldThread] {
        &self.threads
    }

    /// How long the process has stood still: from when the first thread was asked to stop until
    /// now, or until all were let go.
    pub fn stood_still(&self) -> Duration {
        let ended = self.record.stood_still.get().copied();
        ended.unwrap_or_else(|| self.since.elapsed())
    }

    /// Has one thread call the function at this address, which returns a number or nothing (then
    /// the value means nothing). The others stand still meanwhile.
    ///
    /// # Errors
    /// See [`CallError`].
    pub fn call(
        &self,
        function: u64,
        arguments: &[u64],
        patience: Duration,
    ) -> Result<u64, CallError> {
        let arguments: Vec<_> = arguments.iter().copied().map(Argument::Value).collect();
        self.make(&Call::of(function).with(&arguments), patience).map(|returned| returned.value)
    }

    /// As [`call`](Self::call), with what else a [`Call`] can have.
    ///
    /// # Errors
    /// See [`CallError`].
    pub fn make(&self, call: &Call<'_>, patience: Duration) -> Result<Returned, CallError> {
        let pid = self.pid;
        let (bytes, given) = (call.data.len(), call.arguments.len());
        let is_beyond = |argument: &Argument| matches!(*argument, Argument::Data(at) if at > bytes);
        if bytes > MOST_DATA_BYTES || call.arguments.iter().any(is_beyond) {
            return Err(CallError::Data { bytes });
        }
        let mut arguments = [Argument::Value(0); 6];
        arguments
            .get_mut(..given)
            .ok_or(CallError::Arguments { given })?
            .copy_from_slice(call.arguments);
        let (answer, answered) = mpsc::channel();
        let entry = Entry { function: call.function, data: call.data.to_vec(), arguments };
        let request = Request { entry, thread: call.thread, patience, answer };
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
    _: &HoldRecord,
) {
    // Nobody waits for it any more if this fails.
    let _ = answer.send(Err(Error::Architecture));
}
