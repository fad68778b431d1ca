//! How running processes are to be watched.

use std::fmt;
use std::sync::Arc;

use super::settings::{Caller, Settings, Via};
use super::{Attach, AttachError, HeldTarget, Whom};
use memory_event::{Call, Sink, Stack};

/// How running processes are to be watched.
///
/// ```no_run
/// use memory_trace::{AttachOptions, Via};
/// use heap_growth::Tally;
///
/// let attach = AttachOptions::new().via(Via::Bpf).start(&[1234, 1235], Tally::default())?;
/// println!("{:?}", attach.wait()?.sink.by_name());
/// # Ok::<(), memory_trace::AttachError>(())
/// ```
#[derive(Default)]
#[must_use = "nothing is watched until `start` is called"]
pub struct AttachOptions(Settings);

impl AttachOptions {
    /// By the best way that there is, with rings of the usual size.
    pub fn new() -> Self {
        Self::default()
    }

    /// Which way to take.
    pub fn via(mut self, via: Via) -> Self {
        self.0.via = via;
        self
    }

    /// Rings of so many bytes, rounded up to a power of two. BPF programs have one, by default of
    /// 16 MiB; tracepoints have one for every CPU, by default of 4 MiB on a machine with up to four
    /// CPUs, less on larger ones, 16 MiB in all; four times as much for [everybody](Whom::Everybody). A record takes about 120 bytes.
    pub fn ring_bytes(mut self, bytes: usize) -> Self {
        self.0.ring_bytes = Some(bytes);
        self
    }

    /// Called for each call that may have made private writable memory grow, before it is told; what
    /// it returns becomes [`Call::stack`]. What it does holds up the watching thread, and by ptrace
    /// the process.
    ///
    /// By BPF programs, a stack is left out where the ring is more than half full, so that no call is
    /// lost for it: [`AttachNote::DroppedStacks`](super::AttachNote) counts them. Tracepoints lose
    /// such calls as a whole, once a ring is full.
    pub fn at_growth(
        mut self,
        hook: impl FnMut(Caller<'_>, &Call) -> Option<Arc<Stack>> + Send + 'static,
    ) -> Self {
        self.0.growth = Some(Box::new(hook));
        self
    }

    /// Of each stack for [`at_growth`](Self::at_growth), so many bytes are copied: whole KiB up to 16,
    /// which is also the default: enough for some dozens of calls. By ptrace nothing is.
    pub fn stack_bytes(mut self, bytes: u16) -> Self {
        self.0.stack_bytes = Some(bytes);
        self
    }

    /// Begins to watch these processes, or [others](Whom); see [`Attach::start`].
    ///
    /// # Errors
    /// As [`Attach::start`], of the first of them that can't be watched: none is, then. And if the
    /// user may not lock as much memory as the rings take (`/proc/sys/kernel/perf_event_mlock_kb`).
    ///
    /// # Panics
    /// As [`Attach::start`].
    pub fn start<S: Sink + Send + 'static>(
        self,
        whom: impl Into<Whom>,
        sink: S,
    ) -> Result<Attach<S>, AttachError> {
        Attach::begin(whom.into(), self.0, sink)
    }

    /// Starts a program that is watched by BPF programs from its first instruction on; returns once it
    /// executes. By [`Via::Auto`] only if they miss nothing, by any other [way](Self::via) at whatever
    /// price: see [`Via::Bpf`].
    ///
    /// What memory it had at the beginning is unknown if it has changed within some milliseconds,
    /// and nothing stands still: [`LaunchOptions`](crate::LaunchOptions) has hooks.
    ///
    /// # Errors
    /// As [`Attach::start`]; [`AttachError::NoBpf`]: the program waits on; [`AttachError::Launch`]: it
    /// can't be executed.
    ///
    /// # Panics
    /// As [`Attach::start`].
    pub fn start_held<S: Sink + Send + 'static>(
        self,
        held: &mut HeldTarget,
        sink: S,
    ) -> Result<Attach<S>, AttachError> {
        let via = if self.0.via == Via::Auto { Via::Auto } else { Via::Bpf };
        let settings = Settings { via, from_exec: true, ..self.0 };
        let attach = Attach::begin(Whom::Processes(vec![held.pid()]), settings, sink)?;
        held.go()?;
        Ok(attach)
    }
}

impl fmt::Debug for AttachOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AttachOptions")
            .field("via", &self.0.via)
            .field("ring_bytes", &self.0.ring_bytes)
            .field("at_growth", &self.0.growth.is_some())
            .finish()
    }
}
