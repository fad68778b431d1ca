//! Signals that reach this process while it watches another.

use std::fs::File;
use std::thread;

use anyhow::Context;
use libc::{SIGHUP, SIGINT, SIGQUIT, SIGTERM};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use signal_hook::iterator::Signals;

/// Calls `act` for each signal that asks for an end, on a thread of its own, for as long as the
/// process lives. Signals that are ignored (as nohup has it) stay ignored, here and in children.
pub(crate) fn on_end_wanted(act: impl FnMut(i32) + Send + 'static) -> anyhow::Result<()> {
    let ignored = ignored_signals();
    let wanted = [SIGINT, SIGQUIT, SIGTERM, SIGHUP]
        .into_iter()
        .filter(|signal| ignored & (1 << (signal - 1)) == 0);
    let mut signals = Signals::new(wanted).context("can't handle signals")?;
    let mut act = act;
    thread::Builder::new()
        .name("signals".to_owned())
        .spawn(move || signals.forever().for_each(&mut act))
        .context("can't start a thread for signals")?;
    Ok(())
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
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    status
        .lines()
        .find_map(|line| line.strip_prefix("SigIgn:"))
        .and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
        .unwrap_or(0)
}
