//! One attempt: stop the process, look, and only if all is well have it call malloc_trim.

use std::io;
use std::time::{Duration, Instant};

use heap_meter::malloc::{Examiner, State};
use heap_meter::process::Process;
use heap_meter::stacks::Stacks;
use remote_call::{Held, Options};

use super::errno::Errno;
use super::inside::{self, Standing};
use super::library::Library;
use super::scale::{Scale, Still, Weighed};

/// So long may malloc_trim take. It gives back some GiB a second; let go in its middle, the process
/// would finish it by itself.
const CALL: Duration = Duration::from_secs(120);
/// So long may a thread take to stop.
const STOP: Duration = Duration::from_secs(2);

/// What it takes to look into a process, kept from one to the next.
pub(super) struct Tools {
    pub(super) examiner: Examiner,
    pub(super) stacks: Stacks,
    /// The kernel's counters of a process's memory.
    pub(super) counters_are_exact: bool,
}

/// What is known of the process before it is stopped.
pub(super) struct Subject<'a> {
    pub(super) process: &'a Process,
    pub(super) scale: &'a mut Scale,
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

/// A process that has given back what it could, and still stands.
struct Called {
    malloc: State,
    before: Still,
    after: Still,
    call: Duration,
    threads: usize,
    notes: Vec<String>,
}

impl Called {
    /// When it has been let go.
    fn weighed(self, scale: &Scale) -> Trimmed {
        Trimmed {
            malloc: self.malloc,
            weighed: scale.weighed(self.before, self.after),
            call: self.call,
            threads: self.threads,
            notes: self.notes,
        }
    }
}

/// The figures of a process that has given back what it could.
pub(super) struct Trimmed {
    pub(super) malloc: State,
    pub(super) weighed: Weighed,
    pub(super) call: Duration,
    pub(super) threads: usize,
    pub(super) notes: Vec<String>,
}

/// Makes one attempt; gives how long the process stood still, too, if it did.
pub(super) fn attempt(subject: &mut Subject, tools: &mut Tools) -> (Attempt, Option<Duration>) {
    subject.scale.prepare();
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
    let stood_still = held.release();
    let attempt = match outcome {
        Ok(called) => Attempt::Trimmed(Box::new(called.weighed(subject.scale))),
        Err(attempt) => attempt,
    };
    (attempt, Some(stood_still))
}

const SECCOMP: &str = "its system calls are filtered (seccomp), and should the filter kill at madvise, munmap or \
     brk, malloc_trim would end it. A container's usual filter permits them: if this is one, \
     `--allow-seccomp`";

fn while_held(held: &Held, subject: &Subject, tools: &mut Tools) -> Result<Called, Attempt> {
    let pid = held.pid();
    let library = subject.library;
    if let Some(standing) = inside::any(pid, held.threads(), library, &mut tools.stacks) {
        return Err(Attempt::Inside(standing));
    }
    let malloc = match tools.examiner.examine(subject.process).state {
        Ok(malloc) => malloc,
        Err(unknown) => return Err(Attempt::Unknown(unknown.to_string())),
    };
    let locked = malloc.arenas.iter().filter(|arena| arena.locked).count();
    if locked > 0 {
        return Err(Attempt::Locked(locked));
    }
    if malloc.returnable_bytes.is_none() {
        return Err(Attempt::Unknown(flaw(&malloc)));
    }
    let arena = malloc.arenas.first().map(|arena| arena.address);
    if !arena.is_some_and(|arena| library.has(arena)) {
        return Err(Attempt::Refused(format!(
            "malloc's state isn't where its code is (did it execute another program a moment \
             ago?); try again: `brkhole trim {pid}`"
        )));
    }
    call(held, malloc, library, subject.scale)
}

fn call(held: &Held, malloc: State, library: &Library, scale: &Scale) -> Result<Called, Attempt> {
    let before = scale.still();
    let before = before.map_err(|error| Attempt::Refused(weightless(&error)))?;
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
    let after = scale.still();
    let after = after.map_err(|error| Attempt::Failed(weightless(&error)))?;
    Ok(Called {
        malloc,
        before,
        after,
        call,
        threads: held.threads().len(),
        notes,
    })
}

fn weightless(error: &io::Error) -> String {
    format!("it can't be weighed (was it killed?): {error}")
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
