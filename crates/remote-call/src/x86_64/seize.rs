//! Stops every thread of a process.

use std::collections::BTreeSet;
use std::io;
use std::time::{Duration, Instant};

use proc_memory::Status;
use tracee::Stop;

use super::status;
use crate::{Error, Interrupt};

/// In how many looks the thread's stop is expected; in between others may run.
const LOOKS: usize = 200;
/// How long is slept between looks after that.
const NAP: Duration = Duration::from_micros(50);

/// Waits for a thread's next stop. `None`: it came to none before `deadline`, or before somebody
/// asked that it be let go. A thread that has ended or is about to is told as [`Stop::Ended`].
///
/// A thread stops within microseconds as a rule, and there is no wait with a limit that would not
/// need signals, which belong to the caller's program. So it is looked again and again.
pub(super) fn next_stop(
    tid: i32,
    deadline: Instant,
    interrupt: &Interrupt,
) -> io::Result<Option<Stop>> {
    let mut looks = 0_usize;
    loop {
        if let Some(stop) = tracee::take_stop(tid, libc::WNOHANG)? {
            return Ok(Some(stop));
        }
        looks += 1;
        if interrupt.is_asked() {
            return Ok(None);
        }
        if looks < LOOKS {
            std::thread::yield_now();
        } else if Instant::now() < deadline {
            std::thread::sleep(NAP);
        } else {
            return Ok(None);
        }
    }
}

/// Becomes the tracer of all threads of a process and waits until each stands still, in a
/// `PTRACE_EVENT_STOP`. Who stands still makes no new threads, so it ends once a look at the list
/// finds nobody new.
///
/// `standing` is who stands still, also if it fails. Then others may be traced still, and go on
/// when the calling thread ends.
///
/// # References
/// ptrace(2), `PTRACE_SEIZE`, `PTRACE_INTERRUPT`, “Group-stop”
pub(super) fn all(
    pid: i32,
    patience: Duration,
    interrupt: &Interrupt,
    standing: &mut BTreeSet<i32>,
) -> Result<(), Error> {
    let wait = Wait { pid, deadline: Instant::now() + patience, patience, interrupt };
    loop {
        let mut asked = Vec::new();
        let (threads, whole) = tracee::threads(pid);
        let mut unsettled = !whole;
        for tid in threads {
            if standing.contains(&tid) {
                continue;
            }
            match take(pid, tid)? {
                Taken::Asked => asked.push(tid),
                // It may have made another before it ended, which this list didn't have.
                Taken::Ending => unsettled = true,
                Taken::Ended => {}
            }
        }
        if asked.is_empty() && !unsettled {
            break;
        }
        for tid in asked {
            if wait.stands_still(tid)? {
                standing.insert(tid);
            }
        }
        if unsettled && (Instant::now() > wait.deadline || interrupt.is_asked()) {
            return Err(wait.in_vain(pid));
        }
    }
    if standing.is_empty() {
        return Err(Error::Gone { pid });
    }
    Ok(())
}

enum Taken {
    Asked,
    /// Not traced, as it is on its way out.
    Ending,
    /// Ended for good; the first thread of a process stays in the list so.
    Ended,
}

fn take(pid: i32, tid: i32) -> Result<Taken, Error> {
    let asked = match tracee::seize(tid, tracee::Options::PTRACE_O_TRACESYSGOOD) {
        Ok(()) => tracee::interrupt(tid),
        Err(error) => match Status::of_thread(pid, tid).ok() {
            None => return Ok(Taken::Ending),
            Some(status) if status.has_ended() => return Ok(Taken::Ended),
            Some(_) if error.raw_os_error() == Some(libc::ESRCH) => return Ok(Taken::Ending),
            // A thread that executes a program takes over the number of the first.
            Some(_) if tracee::is_traced_here(tid) => tracee::interrupt(tid),
            Some(_) => return Err(status::refused(pid, tid, error)),
        },
    };
    match asked {
        Ok(()) => Ok(Taken::Asked),
        Err(error) if error.raw_os_error() == Some(libc::ESRCH) => Ok(Taken::Ending),
        Err(source) => Err(step(tid, "ask for a stop", source)),
    }
}

/// How long, and for whom.
struct Wait<'a> {
    pid: i32,
    deadline: Instant,
    patience: Duration,
    interrupt: &'a Interrupt,
}

impl Wait<'_> {
    /// `false`: it ended.
    fn stands_still(&self, tid: i32) -> Result<bool, Error> {
        loop {
            let stop = next_stop(tid, self.deadline, self.interrupt);
            let stop = stop.map_err(|source| step(tid, "wait for a stop", source))?;
            match stop {
                Some(Stop::Interrupted) => return Ok(true),
                Some(Stop::Ended(_)) => return Ok(false),
                Some(Stop::Group) => return Err(Error::Stopped { pid: self.pid }),
                None => return Err(self.in_vain(tid)),
                // It was about to get that signal when it was asked to stop, and gets it: a
                // handler's frame is made, and it stops before the handler's first instruction.
                // Any stop makes the kernel forget an earlier request for one.
                Some(Stop::Signal(signal)) => go_on(tid, signal)?,
                Some(_) => go_on(tid, 0)?,
            }
        }
    }

    fn in_vain(&self, tid: i32) -> Error {
        let pid = self.pid;
        if self.interrupt.is_asked() {
            return Error::Interrupted { pid };
        }
        let state = Status::of_thread(pid, tid).map_or('?', |status| status.state());
        Error::Restless { pid, tid, state, waited: self.patience }
    }
}

fn go_on(tid: i32, signal: i32) -> Result<(), Error> {
    let outcome = tracee::interrupt(tid).and_then(|()| tracee::cont(tid, signal));
    match outcome {
        // Killed; its end is what comes next.
        Err(error) if error.raw_os_error() == Some(libc::ESRCH) => Ok(()),
        outcome => outcome.map_err(|source| step(tid, "pass on a signal", source)),
    }
}

fn step(tid: i32, step: &'static str, source: io::Error) -> Error {
    Error::Step { tid, step, source }
}
