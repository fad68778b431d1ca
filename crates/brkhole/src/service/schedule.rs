//! Who is trimmed now, and who isn't yet: a decision, and no clock.
//!
//! A process is due when it keeps more than it may, at most once an interval. What it gives back shall
//! stay away for an interval at least: if half of it or more is resident again at the next look, the
//! program needs that memory, and pays for each page a second time. Then, and where nothing was to be
//! had, the wait for this process doubles; once something lasts, it is an interval again.

use std::collections::HashMap;
use std::time::Duration;

/// No process waits longer than so many intervals.
const MOST_INTERVALS: u32 = 64;

/// One process: its number, and when it started, in clock ticks since the machine did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct ProcessKey {
    pub(super) pid: i32,
    pub(super) started_ticks: u64,
}

/// What was seen of a process.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sighting {
    pub(super) key: ProcessKey,
    pub(super) rss_bytes: u64,
    /// What its malloc would give back; 0 where that isn't known.
    pub(super) returnable_bytes: u64,
}

/// What came of an attempt.
#[derive(Clone, Copy, Debug)]
pub(super) struct GivenBack {
    pub(super) returned_bytes: u64,
    pub(super) rss_after_bytes: u64,
}

/// When each process was trimmed last, and how long it is left alone after that. All times are from
/// the beginning of the service.
#[derive(Debug)]
pub(super) struct Schedule {
    interval: Duration,
    pub(super) above_bytes: u64,
    waits: HashMap<ProcessKey, Wait>,
    /// How often it was of no use: nothing came, or it came back.
    pub(super) in_vain: u64,
}

#[derive(Debug)]
struct Wait {
    /// When it was looked at before the last attempt.
    since: Duration,
    lasts: Duration,
    last_seen: Duration,
    /// What it gave back then, until the next look tells whether that lasts.
    on_trial: Option<GivenBack>,
}

impl Schedule {
    pub(super) fn new(interval: Duration, above_bytes: u64) -> Self {
        Self { interval, above_bytes, waits: HashMap::new(), in_vain: 0 }
    }

    fn longest(&self) -> Duration {
        self.interval.saturating_mul(MOST_INTERVALS)
    }

    /// Whether a process that is looked at now is to be trimmed.
    pub(super) fn is_due(&mut self, now: Duration, seen: &Sighting) -> bool {
        let longest = self.longest();
        if let Some(wait) = self.waits.get_mut(&seen.key) {
            wait.last_seen = now;
            if let Some(given) = wait.on_trial.take() {
                let half = given.rss_after_bytes.saturating_add(given.returned_bytes / 2);
                let came_back = seen.rss_bytes >= half;
                wait.lasts = match came_back {
                    true => wait.lasts.saturating_mul(2).min(longest),
                    false => self.interval,
                };
                self.in_vain += u64::from(came_back);
            }
            if now < wait.since.saturating_add(wait.lasts) {
                return false;
            }
        }
        seen.returnable_bytes > self.above_bytes
    }

    /// Takes down an attempt at a process that was due at that time; `None`: it wasn't trimmed.
    pub(super) fn attempted(&mut self, due: Duration, seen: &Sighting, given: Option<GivenBack>) {
        let longest = self.longest();
        let lasts = self.waits.get(&seen.key).map_or(self.interval, |wait| wait.lasts);
        let on_trial = given.filter(|given| given.returned_bytes >= seen.returnable_bytes / 2);
        let lasts = match on_trial {
            Some(_) => lasts,
            None => lasts.saturating_mul(2).min(longest),
        };
        self.in_vain += u64::from(given.is_some() && on_trial.is_none());
        self.waits.insert(seen.key, Wait { since: due, lasts, last_seen: due, on_trial });
    }

    /// How long a process is left alone, if it is for longer than an interval.
    pub(super) fn backs_off(&self, key: &ProcessKey) -> Option<Duration> {
        self.waits.get(key).map(|wait| wait.lasts).filter(|lasts| *lasts > self.interval)
    }

    /// How many are left alone for longer than an interval now, those included that have ended lately.
    pub(super) fn backed_off(&self) -> usize {
        self.waits.values().filter(|wait| wait.lasts > self.interval).count()
    }

    /// Forgets those that weren't seen for as long as a wait can be: they have ended.
    pub(super) fn forget(&mut self, now: Duration) {
        let longest = self.longest();
        self.waits.retain(|_, wait| now < wait.last_seen.saturating_add(longest));
    }
}

#[cfg(test)]
mod tests;
