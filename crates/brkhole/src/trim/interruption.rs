//! Signals that ask brkhole itself to stop: the first has it let go of what it holds and end in
//! words, the second ends it at once.

use std::cell::Cell;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use anyhow::Context;
use nix::sys::signal::{SigSet, Signal};
use remote_call::Interrupt;
use signal_hook::low_level::emulate_default_handler;

use crate::signals::Ends;

/// Those that have come.
pub(super) struct Interruption {
    came: Receiver<i32>,
    first: Cell<Option<i32>>,
    interrupt: Interrupt,
}

impl Interruption {
    /// From now on the first SIGINT, SIGQUIT, SIGTERM or SIGHUP ends nothing by itself, and Ctrl-Z
    /// has no effect: what is held would stand still for as long as brkhole does.
    ///
    /// # Errors
    /// If signals can't be handled.
    pub(super) fn listen() -> anyhow::Result<Self> {
        let stops = SigSet::from_iter([Signal::SIGTSTP, Signal::SIGTTIN, Signal::SIGTTOU]);
        stops.thread_block().context("can't block signals")?;
        let (send, came) = mpsc::channel();
        let interrupt = Interrupt::default();
        let asks = interrupt.clone();
        Ends::listen()?.each(move |signal| {
            if asks.is_asked() {
                // The kernel lets go of what this process holds, and nothing is lost by that. It
                // fails for no signal that is listened to.
                let _ = emulate_default_handler(signal);
            }
            // It fails only when this program is ending anyhow.
            let _ = send.send(signal);
            asks.ask();
        });
        Ok(Self {
            came,
            first: Cell::new(None),
            interrupt,
        })
    }

    /// What the first of them asks.
    pub(super) fn interrupt(&self) -> &Interrupt {
        &self.interrupt
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
