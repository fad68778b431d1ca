//! One attempt: stop the process, look, and only if all is well have it call what its allocator offers.
//!
//! Its lists of free chunks, which may be millions, are followed before, while it runs. What has to
//! be seen while it stands still doesn't grow with them: that it is the program that was looked at,
//! that no thread is inside malloc, and that no arena's lock is held. So it is certain that the call
//! begins between two of the program's own. That the lists were consistent is certain of a moment
//! before; what the program has done to them since, it has done by malloc's own functions, or its
//! own next call of them would have met the damage. Of other allocators than glibc's there is
//! neither a list to follow nor a lock to look at: all code of their library counts as inside, as
//! does `fork`, during which one thread has all locks.

use std::time::{Duration, Instant};

use proc_memory::Process;
use ptmalloc::{Examiner, HeapState};
use remote_call::Held;

use super::calls::calls;
use super::inside;
use super::look::foretold;
use super::program::ProgramIdentity;
use super::target::{TrimAttempt, TrimTarget, Trimmed};
use super::tools::Tools;
use super::words;

/// So long may a thread take to stop, if the process may stand still that long.
const STOP: Duration = Duration::from_secs(2);

/// Makes one attempt; gives how long the process stood still, too, if it did.
pub(super) fn attempt(
    subject: &mut TrimTarget,
    tools: &mut Tools,
) -> (TrimAttempt, Option<Duration>) {
    subject.known.scale.prepare();
    let stop = STOP.min(subject.max_hold);
    let held = match Held::hold_with(subject.process.pid(), stop, subject.options.clone()) {
        Ok(held) => held,
        Err(error) => {
            let attempt = match error {
                remote_call::Error::Restless { .. } => TrimAttempt::Restless(error.to_string()),
                remote_call::Error::Interrupted { .. } => TrimAttempt::Interrupted,
                remote_call::Error::Seccomp { .. } => TrimAttempt::Refused(words::seccomp()),
                _ => TrimAttempt::Refused(error.to_string().into()),
            };
            return (attempt, None);
        }
    };
    let outcome = while_held(&held, subject, tools);
    let stood_still = held.release();
    let attempt = match outcome {
        Ok(trimmed) => TrimAttempt::Trimmed(Box::new(trimmed)),
        Err(attempt) => attempt,
    };
    (attempt, Some(stood_still))
}

fn while_held(
    held: &Held,
    subject: &TrimTarget,
    tools: &mut Tools,
) -> Result<Trimmed, TrimAttempt> {
    let (process, library) = (subject.process, &subject.known.library);
    is_the_same(subject).map_err(TrimAttempt::Another)?;
    let (threads, stacks) = (held.threads(), &mut tools.stacks);
    if let Some(standing) = inside::any(process, threads, library, stacks, subject.learnt_just_now)
    {
        return Err(TrimAttempt::Inside(standing));
    }
    let malloc = match &subject.known.malloc {
        _ if library.offer.is_anothers() => None,
        Some(malloc) => Some(unlocked(malloc, process, &mut tools.examiner)?),
        None => Some(followed(held, subject, &mut tools.examiner)?),
    };
    if let Some(malloc) = &malloc {
        let arena = malloc.arenas.first().map(|arena| arena.address);
        if !arena.is_some_and(|arena| library.has(arena)) {
            return Err(TrimAttempt::Another("its malloc's state wasn't where its code is"));
        }
    }
    if subject.options.interrupt.is_asked() {
        return Err(TrimAttempt::Interrupted);
    }
    calls(held, malloc, subject)
}

/// Whether the process is the program that was looked at, with the same rights, and has what is
/// called where it was.
fn is_the_same(subject: &TrimTarget) -> Result<(), &'static str> {
    let now = ProgramIdentity::of(subject.process);
    let now = now.map_err(|_| "it had ended, or was executing another program")?;
    if let Some(difference) = subject.known.program.differs_from(&now) {
        return Err(difference);
    }
    match subject.known.library.is_there(subject.process) {
        true => Ok(()),
        false => Err("something else was mapped where its allocator had been"),
    }
}

/// That no arena's lock is held, and that there are no others than those whose lists were followed.
fn unlocked(
    malloc: &HeapState,
    process: &Process,
    examiner: &mut Examiner,
) -> Result<HeapState, TrimAttempt> {
    let now = examiner.glance(process).state;
    let now = now.map_err(|unknown| TrimAttempt::Unknown(unknown.to_string()))?;
    are_unlocked(&now)?;
    let places = |state: &HeapState| -> Vec<u64> {
        state.arenas.iter().map(|arena| arena.address).collect()
    };
    match places(&now) == places(malloc) {
        true => Ok(malloc.clone()),
        false => Err(TrimAttempt::OtherArenas),
    }
}

/// The same of a process that was at work each time it was looked at while it ran: its lists are
/// followed now, as far as it may stand still for that.
fn followed(
    held: &Held,
    subject: &TrimTarget,
    examiner: &mut Examiner,
) -> Result<HeapState, TrimAttempt> {
    let until = Instant::now() + subject.max_hold / 2;
    let malloc = examiner.examine_until(subject.process, until).state;
    let late =
        || TrimAttempt::Refused(words::cannot_follow(subject.process.pid(), subject.max_hold));
    let malloc = match malloc {
        Ok(malloc) => malloc,
        Err(_) if Instant::now() > until => return Err(late()),
        Err(unknown) => return Err(TrimAttempt::Unknown(unknown.to_string())),
    };
    are_unlocked(&malloc)?;
    if malloc.returnable_bytes.is_none() {
        return Err(match Instant::now() > until {
            true => late(),
            false => TrimAttempt::Unknown(words::flaw(&malloc)),
        });
    }
    let time = held.stood_still() + foretold(&malloc, held.threads().len() as u64);
    if time > subject.max_hold {
        let why = words::too_long(subject.process.pid(), time, subject.max_hold);
        return Err(TrimAttempt::Refused(why));
    }
    Ok(malloc)
}

fn are_unlocked(malloc: &HeapState) -> Result<(), TrimAttempt> {
    match malloc.arenas.iter().filter(|arena| arena.locked).count() {
        0 => Ok(()),
        locked => Err(TrimAttempt::Locked(locked)),
    }
}
