//! The thread that watches, and how its owner waits for it: the same for a launched program and for
//! one that runs already.

use std::convert::Infallible;
use std::io;
use std::sync::mpsc::{self, RecvTimeoutError, SyncSender};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// A thread that says once that it has begun, and gives `R` at its end.
#[derive(Debug)]
pub(crate) struct WatcherThread<R> {
    /// `None` once it was waited for.
    thread: Option<JoinHandle<R>>,
    /// Hangs up once the thread has come to its end.
    end: mpsc::Receiver<Infallible>,
}

impl<R: Send + 'static> WatcherThread<R> {
    /// Starts a thread and waits until it says that it has begun. Gives its result if it has come to
    /// its end instead; if it panicked, the panic goes on here.
    pub(crate) fn start<B: Send + 'static>(
        name: &str,
        body: impl FnOnce(SyncSender<B>) -> R + Send + 'static,
    ) -> io::Result<Result<(Self, B), R>> {
        let (ready, started) = mpsc::sync_channel(1);
        let (watching, end) = mpsc::channel();
        let thread = thread::Builder::new().name(name.into()).spawn(move || {
            let _watching = watching;
            body(ready)
        })?;
        Ok(match started.recv() {
            Ok(begun) => {
                let thread = Some(thread);
                Ok((Self { thread, end }, begun))
            }
            Err(mpsc::RecvError) => Err(join(thread)),
        })
    }
}

impl<R> WatcherThread<R> {
    pub(crate) fn is_finished(&self) -> bool {
        self.thread.as_ref().is_none_or(JoinHandle::is_finished)
    }

    /// Waits for its end, but no longer than this; whether it has come.
    pub(crate) fn ends_within(&self, time: Duration) -> bool {
        self.end.recv_timeout(time) != Err(RecvTimeoutError::Timeout)
    }

    /// Waits for its end; if it panicked, the panic goes on here.
    pub(crate) fn wait(&mut self) -> R {
        match self.thread.take() {
            Some(thread) => join(thread),
            None => unreachable!("only `wait` and `abandon` take the thread, and end their owner"),
        }
    }

    /// Has it `stop` and waits for its end, unless it was waited for before.
    pub(crate) fn abandon(&mut self, stop: impl FnOnce()) {
        if let Some(thread) = self.thread.take() {
            stop();
            // A panic of the sink is of no interest to somebody who gives up the result.
            drop(thread.join());
        }
    }
}

fn join<R>(thread: JoinHandle<R>) -> R {
    thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}
