//! Opens the tracepoints on every thread of running processes.
//!
//! What a thread makes from then on inherits its events. Two things can go wrong, as there are
//! many events and the process runs on: a thread makes another while only some of its events are
//! open, so that the new one inherits only these; or a new one is taken for one without events
//! and gets them twice. Both show in the record that tells of the birth, and then everything is
//! closed and begun anew; after a few times with the process held still by ptrace.

use std::collections::{HashMap, HashSet};
use std::io;
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::descriptors::{room_for, too_many};
use super::perf::{PerfEvent, Whose, now_ns};
use super::points::Points;
use super::rings::Rings;
use super::sample_record::{SampleData, SampleRecord};
use super::{AttachError, process_status, seize};

/// Attempts while the process runs.
const ATTEMPTS: usize = 4;
/// Attempts while it is held.
const HOLDS: usize = 3;
/// Looks at the list of threads in one attempt.
const LOOKS: usize = 10;
/// How long a newborn thread may take to run for the first time.
const BIRTH_DELAY: Duration = Duration::from_millis(500);
/// How long a thread may be inside clone(2), on a busy machine. What it makes inherits the events that it
/// has at the beginning, and its birth is told by those that it has at the end.
///
/// # References
/// Linux `kernel/fork.c`, `copy_process`: `perf_event_init_task` comes long before `perf_event_fork`
const CLONE: Duration = Duration::from_millis(20);

/// Events on all threads of the processes, and what was recorded meanwhile.
#[derive(Debug, Default)]
pub(super) struct OpenedEvents {
    pub(super) events: Vec<PerfEvent>,
    pub(super) early: Vec<SampleRecord>,
    /// With their threads.
    pub(super) processes: HashMap<i32, HashSet<i32>>,
    /// They were stopped for a moment.
    pub(super) held: bool,
}

pub(super) fn open_all(
    pids: &[i32],
    rings: &mut Rings,
    points: &Points,
) -> Result<OpenedEvents, AttachError> {
    for _ in 0..ATTEMPTS {
        if let Some(opened) = OpenAttempt::new(pids, false, rings, points).run()? {
            return Ok(opened);
        }
        // What the closed events have left behind.
        rings.drain(points, drop);
    }
    for _ in 0..HOLDS {
        if let Some(opened) = held_still(pids, rings, points)? {
            return Ok(opened);
        }
        rings.drain(points, drop);
    }
    Err(restless(pids)("it did not stand still".into()))
}

/// Opens the events of whichever threads of these are on a CPU, which needs none of that.
pub(super) fn open_everywhere(
    whose: Whose<'_>,
    rings: &Rings,
    points: &Points,
) -> Result<Vec<PerfEvent>, AttachError> {
    room_for(1, rings, points)?;
    let mut events = Vec::new();
    for attr in points.attrs() {
        rings.open(attr, whose, &mut events).map_err(|error| {
            match (error.raw_os_error(), whose) {
                (Some(libc::EMFILE), _) => too_many(1, rings, points),
                (_, Whose::Cgroup(_)) => {
                    AttachError::setup("have tracepoints tell of a cgroup (perf_event_open)")(error)
                }
                _ => AttachError::tracepoints("perf_event_open", error),
            }
        })?;
    }
    Ok(events)
}

/// Which of several it is isn't known.
fn restless(pids: &[i32]) -> impl Fn(String) -> AttachError {
    let pid = pids.first().copied().unwrap_or_default();
    move |reason| AttachError::Restless { pid, reason }
}

/// One attempt while ptrace holds the processes.
fn held_still(
    pids: &[i32],
    rings: &mut Rings,
    points: &Points,
) -> Result<Option<OpenedEvents>, AttachError> {
    let mut held = HashSet::new();
    for &pid in pids {
        match seize::seize_all(pid) {
            Ok(threads) => held.extend(threads),
            Err(error) => {
                seize::release(held);
                return Err(AttachError::Restless { pid, reason: error.to_string() });
            }
        }
    }
    let stopped = seize::freeze(&mut held);
    let outcome = OpenAttempt::new(pids, true, rings, points).run();
    for (tid, stop) in stopped {
        held.remove(&tid);
        seize::let_go(tid, stop);
    }
    seize::release(held);
    outcome
}

struct OpenAttempt<'a> {
    pids: &'a [i32],
    /// They stand still.
    held: bool,
    rings: &'a mut Rings,
    points: &'a Points,
    events: Vec<PerfEvent>,
    early: Vec<SampleRecord>,
    /// When opening a thread's events began and ended.
    windows: HashMap<i32, (u64, u64)>,
    /// Threads that have their events, with their processes.
    inherited: HashMap<i32, i32>,
    opened: HashMap<i32, HashSet<i32>>,
    gone: HashSet<i32>,
}

impl<'a> OpenAttempt<'a> {
    fn new(pids: &'a [i32], held: bool, rings: &'a mut Rings, points: &'a Points) -> Self {
        Self {
            pids,
            held,
            rings,
            points,
            events: Vec::new(),
            early: Vec::new(),
            windows: HashMap::new(),
            inherited: HashMap::new(),
            opened: HashMap::new(),
            gone: HashSet::new(),
        }
    }

    /// `None`: a birth came in between.
    fn run(mut self) -> Result<Option<OpenedEvents>, AttachError> {
        let mut first_look = true;
        let mut settled = false;
        for _ in 0..LOOKS {
            let (mut new, whole) = self.unknown();
            let since = Instant::now();
            while !first_look && !new.is_empty() {
                let all_have_run = new.iter().all(|&(pid, tid)| has_run(pid, tid));
                self.look_at_births();
                new.retain(|(_, tid)| !self.inherited.contains_key(tid));
                if all_have_run {
                    break;
                }
                if since.elapsed() > BIRTH_DELAY {
                    return Ok(None);
                }
                sleep(Duration::from_micros(500));
            }
            if new.is_empty() && whole {
                settled = true;
                break;
            }
            room_for(new.len(), self.rings, self.points)?;
            first_look = false;
            for (pid, tid) in new {
                self.open(pid, tid)?;
            }
            self.look_at_births();
        }
        if !self.held {
            sleep(CLONE);
        }
        self.look_at_births();
        if let Some(&pid) = self.pids.iter().find(|pid| !self.opened.contains_key(pid)) {
            process_status::check(pid)?;
            return Err(AttachError::NoSuchProcess { pid });
        }
        if !settled || self.is_torn() {
            return Ok(None);
        }
        let mut processes = self.opened;
        for (tid, pid) in self.inherited {
            // Another process tells of its birth itself.
            if let Some(threads) = processes.get_mut(&pid) {
                threads.insert(tid);
            }
        }
        let (events, early, held) = (self.events, self.early, self.held);
        Ok(Some(OpenedEvents { events, early, processes, held }))
    }

    /// Threads that nothing is known of, with their processes; and whether these are all.
    fn unknown(&self) -> (Vec<(i32, i32)>, bool) {
        let mut unknown = Vec::new();
        let mut all = true;
        for &pid in self.pids {
            let (threads, whole) = tracee::threads(pid);
            all &= whole;
            let new = threads.into_iter().filter(|tid| {
                !self.windows.contains_key(tid)
                    && !self.inherited.contains_key(tid)
                    && !self.gone.contains(tid)
            });
            unknown.extend(new.map(|tid| (pid, tid)));
        }
        (unknown, all)
    }

    fn open(&mut self, pid: i32, tid: i32) -> Result<(), AttachError> {
        let before = self.events.len();
        let begin = now_ns();
        for attr in self.points.attrs() {
            match self.rings.open(attr, Whose::Thread(tid), &mut self.events) {
                Ok(()) => {}
                Err(error) => {
                    self.events.truncate(before);
                    return match error.raw_os_error() {
                        Some(libc::ESRCH) => {
                            // What it made meanwhile inherited events that are closed now.
                            self.windows.insert(tid, (begin, now_ns()));
                            self.gone.insert(tid);
                            Ok(())
                        }
                        Some(libc::EMFILE) => {
                            Err(too_many(self.windows.len() + 1, self.rings, self.points))
                        }
                        Some(libc::EPERM | libc::EACCES) => {
                            Err(AttachError::refused(pid, "perf_event_open", error))
                        }
                        _ => Err(AttachError::tracepoints("perf_event_open", error)),
                    };
                }
            }
        }
        self.windows.insert(tid, (begin, now_ns()));
        self.opened.entry(pid).or_default().insert(tid);
        Ok(())
    }

    fn look_at_births(&mut self) {
        let (early, inherited) = (&mut self.early, &mut self.inherited);
        self.rings.drain(self.points, |record| {
            if let SampleData::Forked { .. } = record.what {
                inherited.insert(record.tid, record.pid);
            }
            early.push(record);
        });
    }

    /// Whether somebody inherited some events but not all, or has them twice.
    fn is_torn(&self) -> bool {
        self.early.iter().any(|record| match record.what {
            SampleData::Forked { parent_tid, .. } => {
                let window = self.windows.get(&parent_tid);
                let within = window.is_some_and(|(begin, end)| {
                    (*begin..=*end + CLONE.as_nanos() as u64).contains(&record.at_ns)
                });
                within || self.windows.contains_key(&record.tid)
            }
            SampleData::Lost(_) => true,
            _ => false,
        })
    }
}

/// Whether a thread has been on a processor. The record of its birth is written before: if there is none
/// then, it inherited nothing. One that has ended has run, too.
///
/// # References
/// Linux `kernel/fork.c`: `copy_process` calls `perf_event_fork`, and `kernel_clone` wakes the thread up
/// only after it; `Documentation/scheduler/sched-stats.rst`: the third number counts its time slices
fn has_run(pid: i32, tid: i32) -> bool {
    let thread = format!("/proc/{pid}/task/{tid}");
    match std::fs::read_to_string(format!("{thread}/schedstat")) {
        Ok(slices) => slices.split_ascii_whitespace().nth(2) != Some("0"),
        Err(_) => !Path::new(&thread).exists(),
    }
}

/// Proves on this thread that the tracepoints tell what is made, before they are trusted.
pub(super) fn prove(rings: &mut Rings, points: &Points) -> Result<(), AttachError> {
    use super::points::TracepointKind;
    use memory_event::Syscall;
    let refused = |error: io::Error| AttachError::tracepoints("perf_event_open", error);
    let mut events = Vec::new();
    for attr in points.attrs() {
        rings.open(attr, Whose::Thread(0), &mut events).map_err(refused)?;
    }
    let (address, length, fd) = (0xb_0b01, 0x7000, -4711);
    super::perf::harmless_calls(address, length, fd);
    let mut seen = Vec::new();
    rings.drain(points, |record| {
        if let SampleData::Returned { kind, args, result, .. } = record.what {
            seen.push((kind, args, result));
        }
    });
    drop(events);
    rings.drain(points, drop);
    let is_told = |wanted: Syscall, errno: i32, check: &dyn Fn(&[u64; 6]) -> bool| {
        let told = seen.iter().filter(|(kind, args, result)| {
            *kind == TracepointKind::Attached(wanted) && *result == -i64::from(errno) && check(args)
        });
        told.count() == 1
    };
    let munmap = is_told(Syscall::Munmap, libc::EINVAL, &|args| args[..2] == [address, length]);
    let close = is_told(Syscall::Close, libc::EBADF, &|args| args[0] as i32 == fd);
    if munmap && close {
        return Ok(());
    }
    Err(AttachError::Unproven {
        observed: format!("of a refused munmap and a refused close, this was recorded: {seen:?}"),
    })
}
