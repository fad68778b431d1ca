//! What became of one process.

use ptmalloc::HeapState;
use serde::Serialize;

use super::refusal::{Refusal, RefusalKind};
use super::statistics::AllocatorStatistics;

/// What became of one process; this is the JSON, too.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct TrimReport {
    pub(crate) pid: i32,
    /// Its name; `None` if there is no such process.
    pub(crate) comm: Option<String>,
    pub(crate) outcome: TrimOutcome,
    /// Why it wasn't trimmed.
    pub(super) reason: Option<String>,
    /// The same for counting.
    #[serde(skip)]
    pub(crate) refusal: Option<RefusalKind>,
    /// Whose malloc it has.
    pub(super) allocator: Option<String>,
    /// What is called to have it give memory back.
    pub(super) called: Option<&'static str>,
    /// What was expected to be given back, by what malloc had when it was looked at last while the
    /// process ran; if it was at work each time, or its allocator tells only when it is called,
    /// while it stood still. `None` where it isn't told.
    pub(super) predicted_bytes: Option<u64>,
    /// What rss has shrunk by while it stood still.
    pub(crate) returned_bytes: Option<u64>,
    /// What of that another process still had: the machine gets it back once that one has given it
    /// back. `None` where it isn't known.
    pub(super) returned_shared_bytes: Option<u64>,
    /// While it stood still, right before the call; if there was none, when it was looked at first.
    pub(super) rss_before_bytes: Option<u64>,
    /// While it stood still, right after the call.
    pub(crate) rss_after_bytes: Option<u64>,
    /// What no other process has mapped: where the kernel's counters are exact, so that rss needs
    /// no walk through the page tables, from at most a second before it was held; otherwise from
    /// while it stood still.
    pub(super) private_before_bytes: Option<u64>,
    /// The same from when it had just been let go, or from while it stood still.
    pub(super) private_after_bytes: Option<u64>,
    /// How many threads were stopped.
    pub(super) threads: Option<usize>,
    /// How often it was stopped.
    pub(super) attempts: u32,
    /// How long it stood still, all attempts together.
    pub(crate) held_seconds: f64,
    /// And in the longest of them.
    pub(crate) longest_held_seconds: f64,
    /// How long it was foretold to stand still in one attempt, with a processor to spare.
    pub(super) predicted_held_seconds: Option<f64>,
    /// How long the call took, of that.
    pub(super) call_seconds: Option<f64>,
    /// Why it was let go and stopped again, and how often for that reason.
    pub(super) waited_for: Vec<Waited>,
    pub(super) malloc_before: Option<HeapState>,
    pub(super) malloc_after: Option<HeapState>,
    /// What another allocator counts of itself, while it stood still: right before the call.
    pub(super) allocator_before: Option<AllocatorStatistics>,
    /// And right after it.
    pub(super) allocator_after: Option<AllocatorStatistics>,
    /// What could not be had, and what is good to know.
    pub(super) notes: Vec<String>,
}

/// What became of a process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum TrimOutcome {
    /// It has made the call.
    Trimmed,
    /// `--dry-run`: nothing was touched.
    Predicted,
    /// It can't be trimmed. Nothing was changed.
    #[default]
    Refused,
    /// There was no good moment. Nothing was changed.
    GaveUp,
    /// The call went wrong, or was left to itself.
    Failed,
}

/// Why a process had to be let go and stopped again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Waited {
    pub(super) reason: String,
    pub(super) attempts: u32,
}

impl TrimReport {
    /// Nothing has been done yet.
    pub(super) fn new(pid: i32) -> Self {
        Self { pid, ..Self::default() }
    }

    /// The same, with an outcome other than success and the reason.
    pub(super) fn ended(mut self, outcome: TrimOutcome, reason: impl Into<Refusal>) -> Self {
        let Refusal { kind, told } = reason.into();
        self.outcome = outcome;
        self.reason = Some(told);
        self.refusal = Some(match outcome {
            TrimOutcome::GaveUp => RefusalKind::NoMoment,
            TrimOutcome::Failed => RefusalKind::Failed,
            _ => kind,
        });
        self
    }

    /// Whether what was asked for was done.
    pub(super) fn is_success(&self) -> bool {
        matches!(self.outcome, TrimOutcome::Trimmed | TrimOutcome::Predicted)
    }

    /// What another process has as well of what it gave back or, at least, would give back.
    pub(super) fn shared_bytes(&self) -> u64 {
        match self.outcome {
            TrimOutcome::Predicted => {
                let bytes = self.predicted_bytes.unwrap_or(0);
                bytes.saturating_sub(self.private_before_bytes.unwrap_or(bytes))
            }
            _ => self.returned_shared_bytes.unwrap_or(0),
        }
    }

    /// It stood still for so long, once more.
    pub(super) fn stood_still(&mut self, seconds: f64) {
        self.attempts += 1;
        self.held_seconds += seconds;
        self.longest_held_seconds = self.longest_held_seconds.max(seconds);
    }

    /// It had to be let go.
    pub(super) fn waited_for(&mut self, reason: &str) {
        let mut known = self.waited_for.iter_mut();
        match known.find(|known| known.reason == reason) {
            Some(known) => known.attempts += 1,
            None => self.waited_for.push(Waited { reason: reason.to_owned(), attempts: 1 }),
        }
    }
}
