//! The calls that a held process makes: of what its allocator offers, and of what tells what that
//! counts. The thread that makes them gets its errno back.

use std::io;
use std::time::{Duration, Instant};

use anyhow::Error;
use ptmalloc::HeapState;
use remote_call::{Call, CallError, Held};

use super::errno::Errno;
use super::statistics::{AllocatorStatistics, Unanswered};
use super::target::{TrimAttempt, TrimTarget, Trimmed};
use super::words;

/// An allocator isn't asked for what it counts where less is left of the time that the process may
/// stand still: mostly that takes microseconds, on a busy machine perhaps not.
const QUESTIONS: Duration = Duration::from_millis(50);

const UNKNOWN: &str = "what its allocator counts isn't known";
const ERRNO: &str = "errno of the thread that called may have changed";

/// Has the process make them.
pub(super) fn calls(
    held: &Held,
    malloc: Option<HeapState>,
    subject: &TrimTarget,
) -> Result<Trimmed, TrimAttempt> {
    let (offer, scale) = (subject.known.library.offer, &subject.known.scale);
    let before = scale.still();
    let before = before.map_err(|error| TrimAttempt::Refused(weightless(&error).into()))?;
    let own = held.threads().iter().filter(|thread| !thread.is_kernel_worker());
    let each = own.map(|thread| Some(thread.tid));
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
        .map_err(|error| {
            ended(error, "__errno_location", |why| TrimAttempt::Refused(why.into()))
        })?;
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
            Err(Unanswered::Call(error)) => Err((error, statistics.symbols[0])),
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
        value = returned.map_err(|error| (error, offer.called))?.value as i32;
        Ok([before, afterwards(counted())?])
    });
    // A thread that is within the call still has its errno to itself.
    let left_to_it =
        matches!(outcome, Err((CallError::Interrupted { .. } | CallError::TimedOut { .. }, _)));
    if !left_to_it {
        notes.extend(match errno.map(|errno| errno.restore()) {
            Some(Ok(())) => None,
            Some(Err(error)) => Some(format!("{ERRNO}: {error}")),
            None => Some(format!("{ERRNO}: where it is, isn't known")),
        });
    }
    let failed = |(error, called): (CallError, _)| ended(error.into(), called, TrimAttempt::Failed);
    let counted = outcome.map_err(failed)?;
    if offer.returns_error && value != 0 {
        let (called, error) = (offer.called, io::Error::from_raw_os_error(value));
        return Err(TrimAttempt::Failed(format!("{called} gave nothing back: {error}")));
    }
    called.notes.append(&mut notes);
    // Asked in vain before, it was so afterwards.
    called.notes.dedup();
    Ok(counted)
}

/// What was asked when it had been called; nothing where it was to be let go by then.
fn afterwards<T>(
    asked: Result<Option<T>, (CallError, &'static str)>,
) -> Result<Option<T>, (CallError, &'static str)> {
    match asked {
        Err((CallError::NotBegun { .. }, _)) => Ok(None),
        asked => asked,
    }
}

fn by(caller: Option<i32>, call: Call<'_>) -> Call<'_> {
    caller.map_or(call.clone(), |tid| call.by(tid))
}

/// What it means that a call gave no value.
fn ended(
    error: Error,
    called: &'static str,
    otherwise: impl FnOnce(String) -> TrimAttempt,
) -> TrimAttempt {
    match error.downcast_ref() {
        Some(CallError::NotBegun { .. }) => TrimAttempt::Interrupted,
        Some(error @ &(CallError::Interrupted { tid } | CallError::TimedOut { tid, .. })) => {
            TrimAttempt::LeftToItself {
                tid,
                called,
                was_asked: matches!(error, CallError::Interrupted { .. }),
            }
        }
        _ => otherwise(format!("{error:#}")),
    }
}

fn weightless(error: &io::Error) -> String {
    format!("it can't be weighed (was it killed?): {error}")
}
