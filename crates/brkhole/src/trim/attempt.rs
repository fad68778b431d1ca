//! One attempt: stop the process, look, and only if all is well have it call malloc_trim.

use std::time::{Duration, Instant};

use heap_meter::malloc::{Examiner, State};
use heap_meter::process::Process;
use heap_meter::snapshot::{Snapshot, Weigher};
use heap_meter::stacks::Stacks;
use remote_call::{Held, Options};

use super::errno::Errno;
use super::inside::{self, Standing};
use super::library::Library;

/// So long may malloc_trim take. It gives back some GiB a second; let go in its middle, the process
/// would finish it by itself.
const CALL: Duration = Duration::from_secs(120);
/// So long may a thread take to stop.
const STOP: Duration = Duration::from_secs(2);

/// What it takes to look into a process, kept from one to the next.
pub(super) struct Tools {
    pub(super) examiner: Examiner,
    pub(super) stacks: Stacks,
}

/// What is known of the process before it is stopped.
pub(super) struct Subject<'a> {
    pub(super) process: &'a Process,
    pub(super) weigher: &'a mut Weigher,
    pub(super) library: &'a Library,
    pub(super) options: Options,
}

/// What came of an attempt.
pub(super) enum Attempt {
    /// It has called malloc_trim.
    Trimmed(Box<Trimmed>),
    /// A thread may be inside malloc.
    Inside(Standing),
    /// The locks of so many arenas are held.
    Locked(usize),
    /// Malloc's state isn't known, even though nothing moves.
    Unknown(String),
    /// It can't be held now.
    Restless(String),
    /// It can't be trimmed.
    Refused(String),
    /// The call went wrong.
    Failed(String),
}

/// The figures of a process that has given back what it could.
pub(super) struct Trimmed {
    pub(super) malloc: State,
    pub(super) before: Snapshot,
    pub(super) after: Snapshot,
    pub(super) call: Duration,
    pub(super) threads: usize,
    pub(super) notes: Vec<String>,
}

/// Makes one attempt; gives how long the process stood still, too, if it did.
pub(super) fn attempt(subject: &mut Subject, tools: &mut Tools) -> (Attempt, Option<Duration>) {
    let held = match Held::hold_with(subject.process.pid(), STOP, subject.options) {
        Ok(held) => held,
        Err(error @ remote_call::Error::Restless { .. }) => {
            return (Attempt::Restless(error.to_string()), None);
        }
        Err(remote_call::Error::Seccomp { .. }) => {
            return (Attempt::Refused(SECCOMP.to_owned()), None);
        }
        Err(error) => return (Attempt::Refused(error.to_string()), None),
    };
    let outcome = while_held(&held, subject, tools);
    (outcome, Some(held.release()))
}

const SECCOMP: &str = "its system calls are filtered (seccomp), and should the filter kill at madvise, munmap or \
     brk, malloc_trim would end it. A container's usual filter permits them: if this is one, \
     `--allow-seccomp`";

fn while_held(held: &Held, subject: &mut Subject, tools: &mut Tools) -> Attempt {
    let pid = held.pid();
    let library = subject.library;
    if let Some(standing) = inside::any(pid, held.threads(), library, &mut tools.stacks) {
        return Attempt::Inside(standing);
    }
    let malloc = match tools.examiner.examine(subject.process).state {
        Ok(malloc) => malloc,
        Err(unknown) => return Attempt::Unknown(unknown.to_string()),
    };
    let locked = malloc.arenas.iter().filter(|arena| arena.locked).count();
    if locked > 0 {
        return Attempt::Locked(locked);
    }
    if malloc.returnable_bytes.is_none() {
        return Attempt::Unknown(flaw(&malloc));
    }
    let arena = malloc.arenas.first().map(|arena| arena.address);
    if !arena.is_some_and(|arena| library.has(arena)) {
        return Attempt::Refused(format!(
            "malloc's state isn't where its code is (did it execute another program a moment \
             ago?); try again: `brkhole trim {pid}`"
        ));
    }
    match call(held, malloc, library, subject.weigher) {
        Ok(trimmed) => Attempt::Trimmed(Box::new(trimmed)),
        Err(error) => error,
    }
}

fn call(
    held: &Held,
    malloc: State,
    library: &Library,
    weigher: &mut Weigher,
) -> Result<Trimmed, Attempt> {
    let before = weigher.weigh();
    let before = before.map_err(|error| Attempt::Refused(error.to_string()))?;
    let errno = library
        .errno_location
        .map(|location| Errno::of(held, location, CALL))
        .transpose()
        .map_err(|error| Attempt::Refused(format!("{error:#}")))?;
    let begun = Instant::now();
    let called = held.call(library.trim, &[0], CALL);
    let call = begun.elapsed();
    let mut notes = Vec::new();
    match errno.map(|errno| errno.restore()) {
        Some(Ok(())) => {}
        Some(Err(error)) => notes.push(format!(
            "errno of the thread that called may have changed: {error}"
        )),
        None => notes.push(
            "errno of the thread that called may have changed: where it is, isn't known".to_owned(),
        ),
    }
    called.map_err(|error| Attempt::Failed(error.to_string()))?;
    let after = weigher.weigh();
    let after = after.map_err(|error| Attempt::Failed(error.to_string()))?;
    Ok(Trimmed {
        malloc,
        before,
        after,
        call,
        threads: held.threads().len(),
        notes,
    })
}

/// What isn't known of malloc's state.
pub(super) fn flaw(malloc: &State) -> String {
    let flaws = malloc.arenas.iter().filter_map(|arena| {
        let why = arena.unknown.as_ref()?;
        Some(format!("arena {:#x}: {why}", arena.address))
    });
    let flaws: Vec<_> = flaws.collect();
    match flaws.as_slice() {
        [] => "what it would give back isn't known".to_owned(),
        [one] => one.clone(),
        [first, rest @ ..] => format!("{first}; and {} more", rest.len()),
    }
}
