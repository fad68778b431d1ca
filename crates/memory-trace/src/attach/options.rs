//! How running processes are to be watched.

use super::{Attach, AttachError, Via};
use memory_event::Sink;

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
#[derive(Clone, Copy, Debug, Default)]
#[must_use = "nothing is watched until `start` is called"]
pub struct AttachOptions {
    pub(super) via: Via,
    pub(super) ring_bytes: Option<usize>,
}

impl AttachOptions {
    /// By the best way that there is, with rings of the usual size.
    pub fn new() -> Self {
        Self::default()
    }

    /// Which way to take.
    pub fn via(mut self, via: Via) -> Self {
        self.via = via;
        self
    }

    /// Rings of so many bytes, rounded up to a power of two. BPF programs have one, by default of
    /// 16 MiB; tracepoints have one for every CPU, by default of 4 MiB on a machine with up to four
    /// CPUs, less on larger ones, 16 MiB in all. A record takes about 120 bytes.
    pub fn ring_bytes(mut self, bytes: usize) -> Self {
        self.ring_bytes = Some(bytes);
        self
    }

    /// Begins to watch these processes; see [`Attach::start`].
    ///
    /// # Errors
    /// As [`Attach::start`], of the first of them that can't be watched: none is, then. And if the
    /// user may not lock as much memory as the rings take (`/proc/sys/kernel/perf_event_mlock_kb`).
    ///
    /// # Panics
    /// As [`Attach::start`].
    pub fn start<S: Sink + Send + 'static>(
        self,
        pids: &[i32],
        sink: S,
    ) -> Result<Attach<S>, AttachError> {
        Attach::begin(pids, self, sink)
    }
}
