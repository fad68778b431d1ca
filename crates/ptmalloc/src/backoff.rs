//! How often, how long and at what price a process that is at work is asked again.
//!
//! Its threads rest in between: for some microseconds, or until the scheduler lets them go on. So
//! many questions that cost little, further and further apart, find out more than a few that cost
//! much. What was done in vain is counted in this thread's own processor time: on a machine with no
//! processor to spare, time on the clock says how long it had to wait, not what it took from others.

use std::time::{Duration, Instant};

/// The first wait; each further one is twice as long,
const FIRST_WAIT: Duration = Duration::from_micros(50);
/// but none is longer.
const LONGEST_WAIT: Duration = Duration::from_millis(3);
/// Nothing is repeated after this time.
const MOST_TIME: Duration = Duration::from_millis(20);
/// Nor after so much work in vain.
const MOST_WORK: Duration = Duration::from_micros(1500);

/// When some work began, in this thread's processor time.
#[derive(Debug)]
pub(super) struct CpuBudget(Duration);

/// What is left of it.
#[derive(Debug)]
pub(super) struct Backoff {
    begun: Instant,
    wait: Duration,
    work: Duration,
}

impl Backoff {
    /// All of it; the time begins.
    pub(super) fn new() -> Self {
        Self { begun: Instant::now(), wait: FIRST_WAIT, work: Duration::ZERO }
    }

    /// Waits until it is worth to ask once more; false if it isn't any longer.
    pub(super) fn wait(&mut self) -> bool {
        if self.is_spent() {
            return false;
        }
        std::thread::sleep(self.wait);
        self.wait = (self.wait * 2).min(LONGEST_WAIT);
        true
    }

    /// When work begins that may be in vain. What is done before the first wait isn't counted: it
    /// has to be done in any case.
    pub(super) fn at_work(&self) -> Option<CpuBudget> {
        (self.wait > FIRST_WAIT).then(|| CpuBudget(proc_memory::thread_cpu_time()))
    }

    /// That it was in vain.
    pub(super) fn spend(&mut self, begun: Option<CpuBudget>) {
        if let Some(CpuBudget(begun)) = begun {
            self.work += proc_memory::thread_cpu_time().saturating_sub(begun);
        }
    }

    /// Whether nothing is to be repeated any longer.
    pub(super) fn is_spent(&self) -> bool {
        self.begun.elapsed() >= MOST_TIME || self.work >= MOST_WORK
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_ends_when_the_time_is_over() {
        let mut patience = Backoff::new();
        let mut waits = 0;
        while patience.wait() {
            waits += 1;
        }
        assert!(patience.begun.elapsed() >= MOST_TIME);
        // As long as each one can be, the time is over after so many.
        assert!((1..=20).contains(&waits), "{waits}");
    }

    #[test]
    fn it_ends_when_enough_was_done_in_vain() {
        let mut patience = Backoff::new();
        // However much time is left.
        patience.begun = Instant::now() + Duration::from_secs(3600);
        assert!(patience.at_work().is_none(), "nothing is repeated yet");
        assert!(patience.wait());
        let work = patience.at_work();
        let begun = proc_memory::thread_cpu_time();
        while proc_memory::thread_cpu_time() - begun < MOST_WORK {
            std::hint::spin_loop();
        }
        assert!(!patience.is_spent(), "it may not have been in vain");
        patience.spend(work);
        assert!(patience.is_spent() && !patience.wait());
    }
}
