//! What looking into one process may cost, whatever the process has made big, and when to give up.

use std::time::{Duration, Instant};

use super::error::{Bound, Unreadable};

/// What looking into one process may cost. Beyond it the answer is
/// [`Unknown::Costly`](super::Unknown::Costly), which says what there was too much of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ExaminationLimits {
    /// Time on the clock.
    pub time: Duration,
    /// Time of the processor: on a machine that is busy with other things it is much less.
    pub work: Duration,
    /// Bytes of the files in which an allocator may be, as far as they aren't known from another
    /// process.
    pub file_bytes: u64,
    /// Arenas, or what seem to be some.
    pub arenas: usize,
    /// Free chunks of one arena.
    pub chunks: usize,
    /// Bytes of one arena's chunks in use that are read to see which of them pin free memory.
    pub pinning_bytes: u64,
}

impl ExaminationLimits {
    /// Of a process that was asked for: some hundred MiB of memory at most, and some seconds.
    pub const WHOLE: Self = Self {
        time: Duration::from_secs(20),
        work: Duration::from_secs(20),
        file_bytes: 256 << 20,
        arenas: 8192,
        chunks: 4_000_000,
        pinning_bytes: 32 << 20,
    };

    /// Of one of many, several of which are looked at at a time: some MiB of memory and some
    /// milliseconds, in which most processes are known.
    pub const BRIEF: Self = Self {
        time: Duration::from_millis(300),
        work: Duration::from_millis(30),
        file_bytes: 64 << 20,
        arenas: 256,
        chunks: 100_000,
        pinning_bytes: 0,
    };
}

impl Default for ExaminationLimits {
    fn default() -> Self {
        Self::WHOLE
    }
}

/// When what is left to read of one process stays unknown. Of the thread that made it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Deadline {
    limits: ExaminationLimits,
    /// Sooner, for a process that is kept waiting.
    until: Option<Instant>,
    begun: Instant,
    begun_work: Duration,
}

impl Deadline {
    /// Of a look that begins now.
    pub(super) fn new(mut limits: ExaminationLimits, until: Option<Instant>) -> Self {
        if until.is_some() {
            // What tells more of it can be read when nobody waits.
            limits.pinning_bytes = 0;
        }
        Self { limits, until, begun: Instant::now(), begun_work: proc_memory::thread_cpu_time() }
    }

    pub(super) fn limits(&self) -> ExaminationLimits {
        self.limits
    }

    /// Fails once it has come. To be asked within whatever a process can make long.
    pub(super) fn check(&self) -> Result<(), Unreadable> {
        let now = Instant::now();
        if self.until.is_some_and(|until| now > until) {
            return Err(Unreadable::Late);
        }
        let ExaminationLimits { time, work, .. } = self.limits;
        let passed = now - self.begun;
        if passed > time {
            return Err(Bound::Time(time).into());
        }
        // To ask for it costs a system call; it isn't more than what has passed.
        if passed > work && proc_memory::thread_cpu_time().saturating_sub(self.begun_work) > work {
            return Err(Bound::Time(work).into());
        }
        Ok(())
    }
}

/// Whether lists of free chunks are followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lists {
    /// They are; until then, if it may not take longer.
    Followed { until: Option<Instant> },
    /// They aren't: arenas and locks are all that is seen.
    Left,
}

impl Lists {
    pub(super) fn until(self) -> Option<Instant> {
        match self {
            Self::Followed { until } => until,
            Self::Left => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONE: Duration = Duration::ZERO;

    fn after_some_work(
        limits: ExaminationLimits,
        until: Option<Instant>,
    ) -> Result<(), Unreadable> {
        let deadline = Deadline::new(limits, until);
        while proc_memory::thread_cpu_time() == deadline.begun_work {
            std::hint::spin_loop();
        }
        deadline.check()
    }

    #[test]
    fn it_comes_by_either_clock() {
        let whole = ExaminationLimits::WHOLE;
        assert_eq!(after_some_work(whole, None), Ok(()));
        let late = Some(Instant::now());
        assert_eq!(after_some_work(whole, late), Err(Unreadable::Late));
        let over = Err(Bound::Time(NONE).into());
        let time = NONE;
        assert_eq!(after_some_work(ExaminationLimits { time, ..whole }, None), over);
        let work = NONE;
        assert_eq!(after_some_work(ExaminationLimits { work, ..whole }, None), over);
    }
}
