//! When to give up on a process.

use std::time::{Duration, Instant};

use super::limits::{Bound, ExaminationLimits};
use super::memory::Unreadable;

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
    pub(super) fn new(limits: ExaminationLimits, until: Option<Instant>) -> Self {
        Self {
            limits,
            until,
            begun: Instant::now(),
            begun_work: procmem::thread_cpu_time(),
        }
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
        if passed > work && procmem::thread_cpu_time().saturating_sub(self.begun_work) > work {
            return Err(Bound::Time(work).into());
        }
        Ok(())
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
        while procmem::thread_cpu_time() == deadline.begun_work {
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
        assert_eq!(
            after_some_work(ExaminationLimits { time, ..whole }, None),
            over
        );
        let work = NONE;
        assert_eq!(
            after_some_work(ExaminationLimits { work, ..whole }, None),
            over
        );
    }
}
