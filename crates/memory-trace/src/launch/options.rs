//! What to watch, and who else is to be called.

use std::fmt;
use std::sync::Arc;

use super::syscall_reader::SyscallReader;
use super::{Launch, LaunchError};
use crate::target::Target;
use memory_event::{Call, Sink, Stack};

/// How closely a program is watched.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Watch {
    /// Every watched system call, and the life of processes and threads.
    #[default]
    Calls,
    /// Births, execs and ends alone. There is no seccomp filter and no call stops, so that the
    /// program runs as fast as without a tracer: for taking its time.
    Life,
}

/// A thread that stands still while a hook is called, traced by the thread that calls the hook: so
/// ptrace requests from within the hook work, and `/proc` tells of one moment.
///
/// A hook may let the thread run on by ptrace, and must then wait until it stands still again.
/// It must not take the report of its *end* (as `waitpid` does), nor that of a
/// `PTRACE_EVENT_EXIT`: those are the launcher's. waitid(2) with `WNOWAIT` looks without taking.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stopped {
    /// Its process.
    pub pid: i32,
    /// The thread.
    pub tid: i32,
}

type StopHook = Box<dyn FnMut(Stopped) + Send>;
type GrowthHook = Box<dyn FnMut(Stopped, &Call) -> Option<Arc<Stack>> + Send>;

#[derive(Default)]
pub(super) struct Hooks {
    pub(super) exec: Option<StopHook>,
    pub(super) growth: Option<GrowthHook>,
    pub(super) exit: Option<StopHook>,
}

/// How a target is to be launched: what is watched, and hooks.
///
/// All hooks are called on the tracing thread. What they do delays the program; the time is told in
/// [`ObserverCost::hook_seconds`](super::ObserverCost::hook_seconds). A hook that panics ends the
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
    pub(super) watch: Watch,
    pub(super) reader: SyscallReader,
    pub(super) hooks: Hooks,
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
