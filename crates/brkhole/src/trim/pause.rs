//! How long to wait between attempts, and what cuts that short: signals that ask brkhole itself to
//! stop. The first has it let go of what it holds and end in words, the second ends it at once.

use std::cell::Cell;
use std::hash::{BuildHasher, RandomState};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context;
use nix::sys::signal::{SigSet, Signal};
use remote_call::Interrupt;
use signal_hook::low_level::emulate_default_handler;

use crate::signals::Ends;

const FIRST: Duration = Duration::from_millis(5);
const LONGEST: Duration = Duration::from_millis(300);

/// Pauses that grow, until patience is over. None is predictable, so that a program that does
/// something at equal intervals isn't met at the same place each time.
pub(super) struct Pauses {
    until: Instant,
    next: Duration,
    dice: RandomState,
}

impl Pauses {
    pub(super) fn new(patience: Duration) -> Self {
        Self {
            // Somebody with patience for centuries gets some.
            until: Instant::now() + patience.min(Duration::from_secs(1 << 30)),
            next: FIRST,
            dice: RandomState::new(),
        }
    }

    /// What is left of the patience.
    pub(super) fn left(&self) -> Duration {
        self.until.saturating_duration_since(Instant::now())
    }
}

impl Iterator for Pauses {
    type Item = Duration;

    /// `None` when patience is over.
    fn next(&mut self) -> Option<Duration> {
        let left = self.left();
        if left.is_zero() {
            return None;
        }
        let share = (self.dice.hash_one(left) % 1000) as u32;
        let pause = self.next / 2 + self.next * share / 1000;
        self.next = (self.next * 3 / 2).min(LONGEST);
        Some(pause.min(left))
    }
}

/// Those that have come.
pub(crate) struct Interruption {
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
        Ok(Self { came, first: Cell::new(None), interrupt })
    }

    /// What the first of them asks.
    pub(crate) fn interrupt(&self) -> &Interrupt {
        &self.interrupt
    }

    /// The first of them.
    pub(crate) fn signal(&self) -> Option<i32> {
        self.after(Duration::ZERO)
    }

    /// The same, after some time, or as soon as there is one.
    pub(crate) fn after(&self, time: Duration) -> Option<i32> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_grow_and_end() {
        let pauses: Vec<_> = Pauses::new(Duration::from_secs(60)).take(40).collect();
        assert!(pauses[0] >= FIRST / 2 && pauses[0] <= FIRST * 3 / 2);
        assert!(pauses[39] >= LONGEST / 2 && pauses[39] <= LONGEST * 3 / 2);
        assert_eq!(Pauses::new(Duration::ZERO).next(), None);
    }
}
