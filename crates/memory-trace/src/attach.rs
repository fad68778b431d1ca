//! A process that is already running.

mod beside;
mod by_bpf;
mod by_ptrace;
mod by_tracepoints;
mod cgroup_directory;
mod descriptors;
mod emitter;
mod error;
mod follower;
mod held;
mod note;
mod opened;
pub(crate) mod options;
mod perf;
mod points;
mod process_status;
mod process_table;
mod rings;
mod sample_record;
mod seize;
mod settings;
mod stopper;
mod threads;
mod tracefs;
mod whom;

pub use bpf_memory_trace::StackCopy;
pub use error::AttachError;
pub use held::HeldTarget;
pub use note::AttachNote;
pub use settings::{Caller, Via, ViaUsed};
pub use stopper::Stopper;
pub use whom::Whom;

use std::sync::mpsc::SyncSender;
use std::time::{Duration, Instant};

use serde::Serialize;

use crate::launch::{NATIVE_ARCHITECTURE, block_signals};
use crate::watcher::WatcherThread;
use bpf_memory_trace::Tracer;
use by_bpf::ByBpf;
use by_ptrace::ByPtrace;
use by_tracepoints::ByTracepoints;
use emitter::Emitter;
use memory_event::{Ending, Sink};
use note::AttachNotes;
use settings::Settings;
use whom::may_trace_all;

/// Processes that are being watched: [one](Attach::start), or
/// [several or all](crate::AttachOptions::start).
/// Dropping it ends the watching; the process goes on.
///
/// All its threads are watched, and whatever processes and threads they make later, until all of
/// these have ended or the watching is [stopped](Attach::stop). Instead of processes by number it can
/// be a cgroup or the whole machine: [`Whom`]. The process goes on unharmed, however the watching
/// ends: a kill of the watcher included.
///
/// There are three ways; the first that is permitted and proves right is taken, and a note says
/// why not a better one.
///
/// 1. **BPF programs** (root, or `CAP_BPF` and `CAP_PERFMON` for a process that one might trace)
///    run where the calls that are watched return, and nowhere else: nobody is stopped, and other
///    calls cost what they did. See [`bpf_memory_trace`].
/// 2. **Tracepoints** (root, or `CAP_PERFMON` with `CAP_SYS_PTRACE`): the kernel writes each watched
///    call into a ring, from which a thread of this process reads it. The process isn't stopped;
///    every system call of the machine is slower meanwhile. [`AttachNote::Tracepoints`] says so.
/// 3. **ptrace** stops the process twice at every system call whatsoever: a program that makes many
///    of them runs many times slower. [`AttachNote::Slow`] says so.
///
/// # Limits
///
/// - Children that are there already are not watched.
/// - By BPF programs and tracepoints, everything is seen a moment later, on a process that has gone on. The path of
///   an opened file is unknown if file and process were gone by then ([`AttachNote::UnknownPaths`]). If
///   the file was closed by then, the path is what stands where the process had its name, provided
///   that there is such a file: a program that has put another file's name there meanwhile makes it
///   that file's. What a new program has in memory is told only if it
///   had not changed yet. How a process was killed is known if its parent took its time to reap
///   it. By BPF programs, names come along with the calls, and so do ends.
/// - By tracepoints, a set-uid program ends the watching of its process. By BPF programs, its calls
///   are told to who might trace it ([`AttachNote::NotPermitted`]).
/// - By BPF programs and tracepoints, records that come faster than they are read are lost; they are counted in
///   [`Attached::lost_events`]. Larger rings help: [`AttachOptions::ring_bytes`](crate::AttachOptions::ring_bytes).
/// - As long as tracepoints are open, every system call of *every* process on the machine takes the
///   kernel's slower way in and out, watched or not: a program that does little but very short
///   calls (reads of a byte) feels it. The bench `attach` measures both.
/// - Tracepoints take about 19 descriptors for each thread and CPU.
/// - By ptrace, calls that wait may end with `EINTR` when the watching begins and ends, where the
///   kernel can't restart them (`epoll_wait`): see signal(7), “Interruption of system calls …
///   by stop signals”. The same holds for tracepoints in the rare case of
///   [`AttachNote::HeldForAMoment`].
/// - By ptrace, a process can't be watched by its own parent ([`AttachError::OwnChild`]).
/// - Tracepoints pass over the calls of 32-bit code: [`AttachNote::ForeignArchitecture`] says of which
///   programs, and nothing tells of a 64-bit program's `int 0x80`. By BPF programs and by ptrace they
///   are told as the 64-bit calls that they are, by BPF programs without stacks
///   ([`AttachNote::I386Stacks`]).
/// - Files that io_uring opens and closes are told by BPF programs alone, where the kernel accepts fentry
///   programs (Linux 6.0 or newer). Otherwise [`AttachNote::IoUring`] says that it was in use.
/// - BPF programs (Linux 5.15 or newer) and tracepoints on x86-64; ptrace on x86-64 and aarch64, Linux 5.3 or newer.
///
/// # Example
///
/// ```no_run
/// use memory_trace::{Attach, Via};
/// use heap_growth::Tally;
///
/// let attach = Attach::start(1234, Via::Auto, Tally::default())?;
/// std::thread::sleep(std::time::Duration::from_secs(10));
/// attach.stop();
/// let watched = attach.wait()?;
/// println!("{:?}, {} events lost", watched.sink.by_name(), watched.lost_events);
/// # Ok::<(), memory_trace::AttachError>(())
/// ```
#[derive(Debug)]
pub struct Attach<S> {
    used: ViaUsed,
    stopper: Stopper,
    watcher: WatcherThread<Outcome<S>>,
}

/// What [`Attach::wait`] gives back.
#[derive(Debug)]
#[non_exhaustive]
pub struct Attached<S> {
    /// The sink, with what it remembers.
    pub sink: S,
    /// How the process ended, if it did while it was watched and this is known; of several, `None`.
    pub ending: Option<Ending>,
    /// What the watching cost.
    pub cost: WatchingCost,
    /// What the watching did not do, or what it did to the process.
    pub notes: Vec<AttachNote>,
    /// Calls, births and ends that were not told: records that found no room in a ring; by BPF
    /// programs also returns at which none was run, of all processes.
    pub lost_events: u64,
    /// How many processes were followed, those that were there included.
    pub processes: u64,
    /// Detached when all this is dropped, for which the kernel may need three seconds: by then it is
    /// told.
    _programs: Option<Tracer>,
}

/// The observer's own effort.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct WatchingCost {
    /// By ptrace: how often a thread was stopped and set going again. Otherwise: how many
    /// records were read.
    pub stops_or_records: u64,
    /// Processor time of the watching thread, the sink's part included.
    pub watcher_cpu_seconds: f64,
    /// Time from the beginning of the watching to its end.
    pub wall_seconds: f64,
}

/// So much of a stack is copied, at most and by default: enough for some dozens of calls.
const STACK_BYTES: u16 = 16 << 10;

type Outcome<S> = Result<Attached<S>, AttachError>;

impl<S: Sink + Send + 'static> Attach<S> {
    /// Begins to watch; returns once every thread of the process is watched.
    ///
    /// A thread of its own reads or traces, and calls the sink. Signals that the host gets are
    /// not handled on that thread.
    ///
    /// # Errors
    /// There is no such process, it can't be watched, or it is not permitted: [`AttachError`]
    /// says what helps. The process goes on.
    ///
    /// # Panics
    /// If the sink panicked before this returned, the panic goes on here.
    pub fn start(pid: i32, via: Via, sink: S) -> Result<Self, AttachError> {
        Self::begin(Whom::Processes(vec![pid]), Settings { via, ..Settings::default() }, sink)
    }

    fn begin(whom: Whom, settings: Settings, sink: S) -> Result<Self, AttachError> {
        whom.check()?;
        if NATIVE_ARCHITECTURE.is_none() {
            return Err(AttachError::Architecture);
        }
        let failed = AttachError::setup;
        let stopper = Stopper::new().map_err(failed("make a pipe"))?;
        let watcher = WatcherThread::start("attach watcher", {
            let stopper = stopper.clone();
            move |ready| run(&whom, settings, sink, &stopper, &ready)
        });
        match watcher.map_err(failed("start the watcher's thread"))? {
            Ok((watcher, used)) => Ok(Self { used, stopper, watcher }),
            // It ended before it began; why, it tells at its end.
            Err(Err(error)) => Err(error),
            Err(Ok(_)) => unreachable!("the watcher says that it is ready before it can succeed"),
        }
    }
}

impl<S> Attach<S> {
    /// Which way was taken.
    pub fn via(&self) -> ViaUsed {
        self.used
    }

    /// Ends the watching; the process goes on. [`wait`](Self::wait) then returns soon.
    pub fn stop(&self) {
        self.stopper.stop();
    }

    /// A handle that can [`stop`](Self::stop) from elsewhere while this thread waits.
    pub fn stopper(&self) -> Stopper {
        self.stopper.clone()
    }

    /// Whether the process and all that were followed have ended, or the watching has: whether
    /// [`wait`](Self::wait) would return at once.
    pub fn is_finished(&self) -> bool {
        self.watcher.is_finished()
    }

    /// Waits until the process and all that were followed have ended, or the watching has, but no
    /// longer than this; whether they have.
    pub fn ends_within(&self, time: Duration) -> bool {
        self.watcher.ends_within(time)
    }

    /// Waits until the process and all that were followed have ended, or the watching was
    /// [stopped](Self::stop).
    ///
    /// # Errors
    /// The watching could not go on; the process does.
    ///
    /// # Panics
    /// If the sink panicked, the process was let go and the panic goes on here.
    pub fn wait(mut self) -> Result<Attached<S>, AttachError> {
        self.watcher.wait()
    }
}

impl<S> Drop for Attach<S> {
    fn drop(&mut self) {
        self.watcher.abandon(|| self.stopper.stop());
    }
}

/// A way that is open.
enum Way {
    Bpf(ByBpf),
    Tracepoints(ByTracepoints),
    Ptrace,
}

fn run<S: Sink>(
    whom: &Whom,
    Settings { via, ring_bytes, growth, stack_bytes, from_exec }: Settings,
    sink: S,
    stopper: &Stopper,
    ready: &SyncSender<ViaUsed>,
) -> Outcome<S> {
    // The host's handlers belong on the host's threads.
    block_signals();
    let mut teller = Emitter::new(whom, sink, growth);
    // They may be anybody's.
    let why = "that takes CAP_SYS_PTRACE, which root has";
    let fewer = if may_trace_all() { None } else { whom.without_comers(why) };
    let whom = match &fewer {
        Some((whom, note)) => {
            teller.notes.add(note.clone());
            whom
        }
        None => whom,
    };
    let stack_bytes = stack_bytes.map_or(STACK_BYTES, |bytes| bytes.min(STACK_BYTES) & !1023);
    let stack_bytes = if teller.wants_stacks() { stack_bytes } else { 0 };
    let by_bpf = |notes: &mut AttachNotes, at_any_price| {
        let (open, instead_of_functions) =
            whom.open(notes, |whom| ByBpf::open(whom, at_any_price, ring_bytes, stack_bytes))?;
        if let Some(instead_of_functions) = instead_of_functions {
            notes.add(AttachNote::AtSysExit { instead_of_functions });
        }
        Ok::<_, AttachError>(Way::Bpf(open))
    };
    let by_tracepoints = |notes: &mut AttachNotes| {
        let open = |whom: &Whom| ByTracepoints::open(whom, ring_bytes, stack_bytes);
        whom.open(notes, open).map(Way::Tracepoints)
    };
    let notes = &mut teller.notes;
    let way = match via {
        Via::Ptrace if *whom == Whom::Everybody => return Err(AttachError::EverybodyByPtrace),
        Via::Ptrace => Way::Ptrace,
        Via::Bpf => by_bpf(notes, true)?,
        Via::Tracepoints => by_tracepoints(notes)?,
        Via::Auto if from_exec => by_bpf(notes, false)?,
        Via::Auto => match by_bpf(notes, false) {
            Ok(way) => way,
            Err(not_bpf) => match by_tracepoints(notes) {
                Ok(way) => {
                    notes.add(AttachNote::Tracepoints { instead_of_bpf: not_bpf.to_string() });
                    way
                }
                Err(not_tracepoints) if *whom == Whom::Everybody => {
                    let reasons = format!("{not_bpf}; {not_tracepoints}");
                    return Err(AttachError::NotEverybody { reasons });
                }
                Err(reason) => {
                    let instead_of_tracepoints = Some(reason.to_string());
                    notes.add(AttachNote::Slow { instead_of_tracepoints });
                    Way::Ptrace
                }
            },
        },
    };
    // Since when it is watched: no later than whoever waits learns of it.
    let say = |used| {
        let since = Instant::now();
        // Fails if nobody waits for it any more; then it is stopped at once.
        let _ = ready.send(used);
        since
    };
    let mut programs = None;
    let (stops_or_records, since) = match way {
        Way::Bpf(open) => {
            let since = say(ViaUsed::Bpf);
            let (records, tracer) = open.follow(&mut teller, stopper, from_exec)?;
            programs = Some(tracer);
            (records, since)
        }
        Way::Tracepoints(open) => {
            let since = say(ViaUsed::Tracepoints);
            (open.follow(&mut teller, stopper)?, since)
        }
        Way::Ptrace => {
            teller.notes.add(AttachNote::Slow { instead_of_tracepoints: None });
            let why = "ptrace takes hold of one process after the other";
            whom.without_comers(why).into_iter().for_each(|(_, note)| teller.notes.add(note));
            let held = ByPtrace::seize(whom.pids(), stopper)?;
            let since = say(ViaUsed::Ptrace);
            (held.follow(&mut teller)?, since)
        }
    };
    Ok(Attached {
        sink: teller.sink,
        ending: teller.ending,
        cost: WatchingCost {
            stops_or_records,
            watcher_cpu_seconds: proc_memory::thread_cpu_time().as_secs_f64(),
            wall_seconds: since.elapsed().as_secs_f64(),
        },
        notes: teller.notes.into_list(),
        lost_events: teller.lost_events,
        processes: teller.processes,
        _programs: programs,
    })
}
