//! Signals that ask brkhole itself to stop wait while it holds a process.

use std::cell::Cell;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use anyhow::Context;
use nix::sys::signal::{SigSet, Signal};

use crate::signals::Ends;

/// Those that have come.
pub(super) struct Interruption {
    came: Receiver<i32>,
    first: Cell<Option<i32>>,
}

impl Interruption {
    /// From now on SIGINT, SIGQUIT, SIGTERM and SIGHUP end nothing by themselves, and Ctrl-Z has no
    /// effect: what is held would stand still for as long as brkhole does.
    ///
    /// # Errors
    /// If signals can't be handled.
    pub(super) fn listen() -> anyhow::Result<Self> {
        let stops = SigSet::from_iter([Signal::SIGTSTP, Signal::SIGTTIN, Signal::SIGTTOU]);
        stops.thread_block().context("can't block signals")?;
        let (send, came) = mpsc::channel();
        Ends::listen()?.each(move |signal| {
            // It fails only when this program is ending anyhow.
            let _ = send.send(signal);
        });
        Ok(Self {
            came,
            first: Cell::new(None),
        })
    }

    /// The first of them.
    pub(super) fn signal(&self) -> Option<i32> {
        self.after(Duration::ZERO)
    }

    /// The same, after some time, or as soon as there is one.
    pub(super) fn after(&self, time: Duration) -> Option<i32> {
        if self.first.get().is_none() {
            match self.came.recv_timeout(time) {
                Ok(signal) => self.first.set(Some(signal)),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => thread::sleep(time),
            }
        }
        self.first.get()
    }
}
