//! A child that is watched from its first instruction on.

mod error;
mod exec_image;
mod filter;
mod forked_child;
mod launched;
pub(crate) mod positions;
mod prepared;
mod signals;
pub(crate) mod syscall_reader;
pub(crate) mod tracees;
mod tracer;

pub use error::LaunchError;
#[cfg(feature = "attach")]
pub(crate) use exec_image::{ExecImages, ToldRefusals};
#[cfg(feature = "attach")]
pub(crate) use forked_child::{ForkedChild, fork};
pub use launched::{LaunchNote, Launched, ObserverCost};
pub use prepared::Watch;
#[cfg(feature = "attach")]
pub(crate) use signals::{block_signals, kill_unreaped};
pub(crate) use syscall_reader::NATIVE_ARCHITECTURE;
pub use tracer::Stopped;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::target::Target;
use crate::watcher::WatcherThread;
use memory_event::{Call, Sink, Stack};
pub(crate) use prepared::Prepared;
use signals::PidfdSet;
use syscall_reader::SyscallReader;
use tracer::{Hooks, Outcome};

/// A launched program, still running or just ended.
///
/// Dropping it without [`wait`](Self::wait) kills the program and waits for its end.
///
/// The child runs under ptrace with a seccomp filter that stops it only on memory calls, on open
/// and close, and on exec; every other call runs at full speed. A stopped call costs two context
/// switches to the tracer and back. The whole tree is followed: forks, vforks, clones, threads and
/// what they execute. Signals, stops and the exit status are those of an unwatched run.
///
/// Counts equal those of `strace -f -c`, call by call, with one addition: refused `brk`s count as
/// failed (see [`Call::failed`](memory_event::Call::failed)).
///
/// [`LaunchOptions`] adds hooks that are called while a process stands still: at every exec (to change
/// the program before its first instruction), behind every call that made memory grow (to walk the
/// stack), at every end (to weigh). [`Watch::Life`] goes without the filter, for taking the time.
///
/// # Limits
///
/// - On aarch64, a 32-bit program runs and its children are followed, but its own calls are not seen:
///   see [`LaunchNote::ForeignArchitecture`]. On x86-64 they are, `int 0x80` in 64-bit code included.
/// - The filter can't be taken off, so nothing can be let go: a run ends when the last process
///   that was started in it has ended, daemons included.
/// - Calls that a program's *own* seccomp filter refuses are not seen, see [`LaunchNote::OwnFilter`].
/// - Files that io_uring opens and closes are not seen, see [`LaunchNote::IoUring`].
/// - Seccomp's strict mode can't be entered (`EINVAL`), as a filter is in place.
/// - A traced program can't trace others: a debugger inside gets `EPERM`, as under strace. A child
///   made with `CLONE_UNTRACED` is not followed, and its watched calls fail with `ENOSYS`.
/// - x86-64 and aarch64, Linux 5.3 or newer.
///
/// # Example
///
/// ```
/// use memory_event::Syscall;
/// use memory_trace::Launch;
/// use heap_growth::{Fallback, Tally};
/// use memory_trace::Target;
///
/// let target = Target::new("true");
/// let launch = Launch::start(&target, (Tally::default(), Fallback::default()))?;
/// let finished = launch.wait()?;
/// assert!(finished.ending.success());
/// let (tally, fallback) = finished.sink;
/// println!("{} brks, {} fallbacks", tally.get(Syscall::Brk).calls, fallback.count());
/// # Ok::<(), memory_trace::LaunchError>(())
/// ```
#[derive(Debug)]
pub struct Launch<S> {
    pid: i32,
    roster: Arc<PidfdSet>,
    tracer: WatcherThread<Outcome<S>>,
}

impl<S: Sink + Send + 'static> Launch<S> {
    /// Starts the target, watching its calls; returns once it executes its program. [`LaunchOptions`]
    /// starts it otherwise.
    ///
    /// A thread of its own traces it and calls the sink. Signals that the host gets are not
    /// handled on that thread.
    ///
    /// # Errors
    /// The program can't be executed, or ptrace or seccomp are forbidden here: see
    /// [`LaunchError`]. Nothing is left running.
    ///
    /// # Panics
    /// If the sink panicked before this returned, the panic goes on here.
    pub fn start(target: &Target, sink: S) -> Result<Self, LaunchError> {
        Self::start_with(target, sink, LaunchOptions::new())
    }

    fn start_with(target: &Target, sink: S, options: LaunchOptions) -> Result<Self, LaunchError> {
        let prepared = Prepared::new(target, options.watch)?;
        let roster = Arc::new(PidfdSet::default());
        let tracer = WatcherThread::start("launch tracer", {
            let roster = Arc::clone(&roster);
            move |ready| tracer::run(&prepared, sink, options.reader, options.hooks, roster, ready)
        });
        let tracer = tracer.map_err(LaunchError::setup("start the tracer's thread"))?;
        match tracer {
            Ok((tracer, pid)) => Ok(Self { pid, roster, tracer }),
            // The tracer ended without a running program; why, it tells at its end.
            Err(Err(error)) => Err(error),
            Err(Ok(Launched { ending, .. })) => Err(LaunchError::EndedEarly { ending }),
        }
    }
}

impl<S> Launch<S> {
    /// Process id of the launched program. It stays valid until the program has ended *and* the
    /// tracer noticed, so use it only as long as the program is known to run.
    pub fn pid(&self) -> i32 {
        self.pid
    }

    /// Ends the run: SIGKILL to the launched program and to every process it started. Nothing
    /// else is touched: each is addressed by a handle (pidfd), not by a number that could
    /// meanwhile belong to another. Does nothing if all have ended.
    pub fn kill(&self) {
        self.roster.kill_all();
    }

    /// A handle that can [`kill`](Self::kill) from elsewhere while this thread waits.
    pub fn killer(&self) -> Killer {
        Killer { roster: Arc::clone(&self.roster) }
    }

    /// Whether [`wait`](Self::wait) would return at once.
    pub fn is_finished(&self) -> bool {
        self.tracer.is_finished()
    }

    /// Waits until the program and everything it started have ended, but no longer than this;
    /// whether they have.
    pub fn ends_within(&self, time: Duration) -> bool {
        self.tracer.ends_within(time)
    }

    /// Waits until the program and everything it started have ended.
    ///
    /// # Errors
    /// The tracer could not go on; everything it traced has been killed.
    ///
    /// # Panics
    /// If the sink panicked, everything that was traced has been killed and the panic goes on
    /// here.
    pub fn wait(mut self) -> Result<Launched<S>, LaunchError> {
        self.tracer.wait()
    }
}

impl<S> Drop for Launch<S> {
    fn drop(&mut self) {
        self.tracer.abandon(|| self.roster.kill_all());
    }
}

/// Ends a run from another thread, for instance one that waits for Ctrl-C.
#[derive(Clone, Debug)]
pub struct Killer {
    roster: Arc<PidfdSet>,
}

impl Killer {
    /// See [`Launch::kill`].
    pub fn kill(&self) {
        self.roster.kill_all();
    }
}

/// How a target is to be launched: what is watched, and hooks.
///
/// All hooks are called on the tracing thread. What they do delays the program; the time is told in
/// [`ObserverCost::hook_seconds`]. A hook that panics ends the
/// run as a sink that panics does.
///
/// ```
/// use proc_memory::Snapshot;
/// use memory_trace::{LaunchOptions, Watch};
/// use memory_trace::Target;
///
/// let (sender, weights) = std::sync::mpsc::channel();
/// let launch = LaunchOptions::new()
///     .watch(Watch::Life)
///     .at_exit(move |stopped| sender.send(Snapshot::of(stopped.tid)).unwrap())
///     .start(&Target::new("true"), ())?;
/// assert!(launch.wait()?.ending.success());
/// assert!(weights.recv()??.peak_rss_bytes > 0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Default)]
#[must_use = "nothing is launched until `start` is called"]
pub struct LaunchOptions {
    watch: Watch,
    reader: SyscallReader,
    hooks: Hooks,
}

impl LaunchOptions {
    /// All calls are watched, no hook is called: what [`Launch::start`] does.
    pub fn new() -> Self {
        Self::default()
    }

    /// How closely to watch.
    pub fn watch(mut self, watch: Watch) -> Self {
        self.watch = watch;
        self
    }

    /// Called for every program that the tree executes, the launched one first, before its first
    /// instruction: memory is laid out, registers are set, the exec has returned. It comes after
    /// the event that tells of the exec.
    pub fn at_exec(mut self, hook: impl FnMut(Stopped) + Send + 'static) -> Self {
        self.hooks.exec = Some(Box::new(hook));
        self
    }

    /// Called when a thread stands behind a call that made private writable memory grow, before the
    /// call is told; what it returns becomes [`Call::stack`]. Such calls are a `brk` upwards, an
    /// `mmap` of private writable memory, an `mremap` to a greater length, and an `mprotect` that
    /// makes memory writable (the arenas of glibc's threads grow by it). None in [`Watch::Life`].
    pub fn at_growth(
        mut self,
        hook: impl FnMut(Stopped, &Call) -> Option<Arc<Stack>> + Send + 'static,
    ) -> Self {
        self.hooks.growth = Some(Box::new(hook));
        self
    }

    /// Called once for each process that ends, by itself or killed, in its last thread and while
    /// its memory is still there: weigh [`Stopped::tid`], as the first thread (`pid`) may have
    /// returned and let go of the memory before.
    ///
    /// A process that SIGKILL reaches while it ends already may be gone without the hook being
    /// called. One that shares its maker's memory (vfork) and ends without an exec shows that.
    ///
    /// # References
    /// ptrace(2), `PTRACE_EVENT_EXIT`; `do_exit` in `kernel/exit.c`, where it comes before
    /// `exit_mm`
    pub fn at_exit(mut self, hook: impl FnMut(Stopped) + Send + 'static) -> Self {
        self.hooks.exit = Some(Box::new(hook));
        self
    }

    /// Starts the target; see [`Launch::start`].
    ///
    /// # Errors
    /// As [`Launch::start`].
    ///
    /// # Panics
    /// As [`Launch::start`]; the same is true of hooks.
    pub fn start<S: Sink + Send + 'static>(
        self,
        target: &Target,
        sink: S,
    ) -> Result<Launch<S>, LaunchError> {
        Launch::start_with(target, sink, self)
    }
}

impl fmt::Debug for LaunchOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("watch", &self.watch)
            .field("at_exec", &self.hooks.exec.is_some())
            .field("at_growth", &self.hooks.growth.is_some())
            .field("at_exit", &self.hooks.exit.is_some())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::syscall_reader::SyscallReader;
    use super::*;
    use crate::target::Stream;
    use heap_growth::Tally;
    use memory_event::{Ending, Syscall};

    /// The portable way of reading calls is the only one on aarch64; here it can be held against
    /// the native one.
    #[test]
    fn both_readers_see_the_same_calls() {
        let script = "cat /proc/self/maps | wc -l; cat /nonexistent; exit 3";
        let target =
            Target::new("sh").args(["-c", script]).stdout(Stream::Null).stderr(Stream::Null);
        let tally = |reader| {
            let options = LaunchOptions { reader, ..LaunchOptions::new() };
            let launch = options.start(&target, Tally::default()).unwrap();
            let finished = launch.wait().unwrap();
            assert_eq!(finished.ending, Ending::Code(3));
            finished.sink
        };
        let native = tally(SyscallReader::NATIVE);
        assert_eq!(native, tally(SyscallReader::SyscallInfo));
        assert!(native.get(Syscall::Openat).failed > 0, "{native:?}");
    }
}
