//! Signals that reach this process while it watches another.

use std::fs::File;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use anyhow::Context;
use libc::{SIGHUP, SIGINT, SIGQUIT, SIGTERM};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use signal_hook::iterator::Signals;

/// Signals that ask for an end, from the moment on at which they are listened to: one that comes
/// before it is known what to do waits.
///
/// Those that are ignored (as nohup has it) stay ignored, here and in children.
#[derive(Clone, Default)]
pub(crate) struct Ends {
    state: Arc<Mutex<SignalState>>,
}

#[derive(Default)]
struct SignalState {
    act: Option<Box<dyn FnMut(i32) + Send>>,
    waiting: Vec<i32>,
}

impl Ends {
    /// Listens on a thread of its own for as long as the process lives.
    pub(crate) fn listen() -> anyhow::Result<Self> {
        let ignored = ignored_signals();
        let wanted = [SIGINT, SIGQUIT, SIGTERM, SIGHUP]
            .into_iter()
            .filter(|signal| ignored & (1 << (signal - 1)) == 0);
        let mut signals = Signals::new(wanted).context("can't handle signals")?;
        let ends = Self::default();
        let listener = ends.clone();
        thread::Builder::new()
            .name("signals".to_owned())
            .spawn(move || signals.forever().for_each(|signal| listener.came(signal)))
            .context(
                "can't start a thread for signals; a limit that was meant for the command belongs \
                 inside: sh -c 'ulimit …; exec COMMAND'",
            )?;
        Ok(ends)
    }

    /// Calls `act` for each signal, also for those that have come already.
    pub(crate) fn each(&self, mut act: impl FnMut(i32) + Send + 'static) {
        let mut state = self.lock();
        state.waiting.drain(..).for_each(&mut act);
        state.act = Some(Box::new(act));
    }

    fn came(&self, signal: i32) {
        let state = &mut *self.lock();
        match &mut state.act {
            Some(act) => act(signal),
            None => state.waiting.push(signal),
        }
    }

    fn lock(&self) -> MutexGuard<'_, SignalState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether a launched command gets this signal by itself: a key at the terminal reaches all that
/// run in its foreground, so passing it on would double it.
pub(crate) fn comes_from_the_keyboard(signal: i32) -> bool {
    matches!(signal, SIGINT | SIGQUIT) && File::open("/dev/tty").is_ok()
}

/// Sends a process a signal that was meant for it. That it has ended meanwhile is no failure.
pub(crate) fn pass_on(signal: i32, pid: i32) {
    if let Ok(signal) = Signal::try_from(signal) {
        let _ = kill(Pid::from_raw(pid), signal);
    }
}

/// Bit n−1 for signal n.
///
/// # References
/// proc_pid_status(5), `SigIgn`
fn ignored_signals() -> u64 {
    let status = proc_memory::Status::of_this_thread();
    status.ok().and_then(|status| status.signals("SigIgn")).unwrap_or(0)
}
