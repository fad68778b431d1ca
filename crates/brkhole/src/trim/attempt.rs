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

use std::io;
use std::time::{Duration, Instant};

use anyhow::Error;
use proc_memory::Process;
use ptmalloc::{Examiner, HeapState};
use remote_call::{Call, CallError, Held, HoldOptions};

use super::errno::Errno;
use super::inside::{self, StoppedTarget};
use super::library::TrimLibrary;
use super::look::foretold;
use super::program::ProgramIdentity;
use super::refusal::Refusal;
use super::scale::{Scale, Still};
use super::statistics::{AllocatorStatistics, Unanswered};
use super::tools::Tools;
use super::words;

/// So long may a thread take to stop, if the process may stand still that long.
const STOP: Duration = Duration::from_secs(2);

/// An allocator isn't asked for what it counts where less is left of the time that the process may
/// stand still: mostly that takes microseconds, on a busy machine perhaps not.
const QUESTIONS: Duration = Duration::from_millis(50);

const UNKNOWN: &str = "what its allocator counts isn't known";
const ERRNO: &str = "errno of the thread that called may have changed";

/// What the attempts at one program need of it.
pub(super) struct KnownProgram {
    pub(super) program: ProgramIdentity,
    pub(super) library: TrimLibrary,
    pub(super) scale: Scale,
    /// The state of glibc's malloc a moment ago; `None` if it was at work each time.
    pub(super) malloc: Option<HeapState>,
    /// When it was looked at.
    pub(super) when: Instant,
    pub(super) threads: u64,
}

/// What is known of the process before it is stopped.
pub(super) struct TrimTarget<'a> {
    pub(super) process: &'a Process,
    pub(super) known: &'a mut KnownProgram,
    pub(super) learnt_just_now: bool,
    pub(super) max_hold: Duration,
    pub(super) options: &'a HoldOptions,
}

pub(super) enum TrimAttempt {
    /// It has made the call.
    Trimmed(Box<Trimmed>),
    /// It isn't what was looked at any more: in which way.
    Another(&'static str),
    /// It has other arenas than when they were looked at.
    OtherArenas,
    /// A thread may be inside malloc.
    Inside(StoppedTarget),
    /// The locks of so many arenas are held.
    Locked(usize),
    /// Malloc's state isn't known, even though nothing moves.
    Unknown(String),
    /// It can't be held now.
    Restless(String),
    Refused(Refusal),
    /// It was to be let go before the call.
    Interrupted,
    /// It was let go in the middle of the call, which goes on in this thread.
    LeftToItself {
        tid: i32,
        was_asked: bool,
    },
    Failed(String),
}

/// A process that has given back what it could.
pub(super) struct Trimmed {
    /// What glibc's had; another allocator's lists aren't followed.
    pub(super) malloc: Option<HeapState>,
    /// What another allocator counts, before and after.
    pub(super) counted: [Option<AllocatorStatistics>; 2],
    pub(super) before: Still,
    pub(super) after: Still,
    pub(super) call: Duration,
    pub(super) threads: usize,
    pub(super) notes: Vec<String>,
}

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
    call(held, malloc, subject)
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

fn call(
    held: &Held,
    malloc: Option<HeapState>,
    subject: &TrimTarget,
) -> Result<Trimmed, TrimAttempt> {
    let (offer, scale) = (subject.known.library.offer, &subject.known.scale);
    let before = scale.still();
    let before = before.map_err(|error| TrimAttempt::Refused(weightless(&error).into()))?;
    let each = held.threads().iter().map(|thread| Some(thread.tid));
    let callers = if offer.by_each_thread { each.collect() } else { vec![None] };
    let mut missed = None;
    let (mut made, mut counted, mut called) = (0, [None; 2], Called::default());
    for &caller in &callers {
        match call_once(held, caller, subject, &mut called) {
            Ok(statistics) => {
                made += 1;
                counted = statistics;
            }
            // It has called nothing, others may.
            Err(TrimAttempt::Refused(why)) if offer.by_each_thread => missed = Some(why),
            Err(TrimAttempt::Interrupted | TrimAttempt::Restless(_)) if made > 0 => break,
            Err(other) => return Err(other),
        }
    }
    if let Some(why) = missed.clone().filter(|_| made == 0) {
        return Err(TrimAttempt::Refused(why));
    }
    if made < callers.len() {
        let (all, name) = (callers.len(), offer.called);
        let why = missed.map_or("it was time to let it go".to_owned(), |missed| missed.told);
        let note = format!("{made} of {all} threads have called {name}, others not: {why}");
        called.notes.push(note);
    }
    let after = scale.still();
    let after = after.map_err(|error| TrimAttempt::Failed(weightless(&error)))?;
    let Called { took, notes } = called;
    let threads = held.threads().len();
    Ok(Trimmed { malloc, counted, before, after, call: took, threads, notes })
}

/// What comes together over all calls.
#[derive(Default)]
struct Called {
    took: Duration,
    notes: Vec<String>,
}

/// Has this thread, or the one that is disturbed least, make the call; gives what the allocator
/// counts before and after, where it tells.
fn call_once(
    held: &Held,
    caller: Option<i32>,
    subject: &TrimTarget,
    called: &mut Called,
) -> Result<[Option<AllocatorStatistics>; 2], TrimAttempt> {
    let library = &subject.known.library;
    let left = || subject.max_hold.saturating_sub(held.stood_still());
    if left().is_zero() {
        return Err(TrimAttempt::Restless(words::too_slow(subject.max_hold)));
    }
    let errno = library
        .errno_location
        .map(|location| Errno::of(held, &by(caller, Call::of(location)), left()))
        .transpose()
        .map_err(|error| ended(error, |why| TrimAttempt::Refused(why.into())))?;
    let offer = library.offer;
    let mut notes = Vec::new();
    let mut counted = || {
        let (Some(statistics), Some(function)) = (&offer.statistics, library.statistics) else {
            return Ok(None);
        };
        if left() < QUESTIONS {
            notes.push(format!("{UNKNOWN}: no time was left to ask it"));
            return Ok(None);
        }
        match statistics.ask(function, |call| held.make(&by(caller, call), left())) {
            Ok(counted) => Ok(Some(counted)),
            Err(Unanswered::Call(error)) => Err(error),
            Err(Unanswered::Unknown(name)) => {
                notes.push(format!("{UNKNOWN}: it has no {name}"));
                Ok(None)
            }
        }
    };
    let call = Call::of(library.trim).with_data(offer.data).with(offer.arguments);
    let call = by(caller, call);
    let mut value = 0;
    let outcome = counted().and_then(|before| {
        let begun = Instant::now();
        let returned = held.make(&call, left());
        called.took += begun.elapsed();
        value = returned?.value as i32;
        Ok([before, counted()?])
    });
    // A thread that is within the call still has its errno to itself.
    if let Err(error @ (CallError::Interrupted { .. } | CallError::TimedOut { .. })) = outcome {
        return Err(ended(error.into(), TrimAttempt::Failed));
    }
    notes.extend(match errno.map(|errno| errno.restore()) {
        Some(Ok(())) => None,
        Some(Err(error)) => Some(format!("{ERRNO}: {error}")),
        None => Some(format!("{ERRNO}: where it is, isn't known")),
    });
    let counted = outcome.map_err(|error| ended(error.into(), TrimAttempt::Failed))?;
    if offer.returns_error && value != 0 {
        let (called, error) = (offer.called, io::Error::from_raw_os_error(value));
        return Err(TrimAttempt::Failed(format!("{called} gave nothing back: {error}")));
    }
    called.notes.append(&mut notes);
    // Asked in vain before, it was so afterwards.
    called.notes.dedup();
    Ok(counted)
}

fn by(caller: Option<i32>, call: Call<'_>) -> Call<'_> {
    caller.map_or(call.clone(), |tid| call.by(tid))
}

/// What it means that a call gave no value.
fn ended(error: Error, otherwise: impl FnOnce(String) -> TrimAttempt) -> TrimAttempt {
    match error.downcast_ref() {
        Some(CallError::NotBegun { .. }) => TrimAttempt::Interrupted,
        Some(error @ &(CallError::Interrupted { tid } | CallError::TimedOut { tid, .. })) => {
            TrimAttempt::LeftToItself {
                tid,
                was_asked: matches!(error, CallError::Interrupted { .. }),
            }
        }
        _ => otherwise(format!("{error:#}")),
    }
}

fn weightless(error: &io::Error) -> String {
    format!("it can't be weighed (was it killed?): {error}")
}
