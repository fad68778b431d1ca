//! Weighing a process before and after, without keeping it from its work for that.
//!
//! What it has given back is the difference of two figures from while it stands still. Walking its
//! page tables for them would take as long again as all the rest. So they are the kernel's counters
//! where these are exact. What part other processes share only the walk tells; that is done a
//! moment before the process is held and a moment after it was let go.

use std::io;
use std::time::{Duration, Instant};

use human_text::Bytes;

use super::weight::{Counters, Rollup, RollupWeight};

/// A weighing is good for so long: a process that has to be stopped again and again isn't walked
/// through each time.
const FRESH: Duration = Duration::from_secs(1);

/// Differences below this are told by nobody: page tables, the stack that the call took.
const SMALL_BYTES: u64 = 256 << 10;

/// Weighs one process.
#[derive(Debug)]
pub(super) struct Scale {
    pid: i32,
    counters_are_exact: bool,
    rollup: Rollup,
    /// While it ran, and when.
    running: Option<(RollupWeight, Instant)>,
}

/// A process that stands still.
#[derive(Clone, Copy, Debug)]
pub(super) struct Still {
    pub(super) counters: Counters,
    /// Where the counters aren't exact, they are taken from this.
    walked: Option<RollupWeight>,
}

/// A process before and after.
#[derive(Clone, Copy, Debug)]
pub(super) struct TargetScale {
    /// While it stood still.
    pub(super) before: Counters,
    /// While it stood still.
    pub(super) after: Counters,
    /// A moment before it was held and after it was let go, or while it stood still; `None` if it
    /// was another program then, or none.
    pub(super) walked: Option<[RollupWeight; 2]>,
}

impl Scale {
    /// # Errors
    /// If there is no such process, or it may not be looked at.
    pub(super) fn of(pid: i32, counters_are_exact: bool) -> io::Result<Self> {
        Ok(Self { pid, counters_are_exact, rollup: Rollup::open(pid)?, running: None })
    }

    /// Weighs it while it runs, if that will be needed.
    pub(super) fn prepare(&mut self) {
        let is_fresh = |(_, when): &(_, Instant)| when.elapsed() < FRESH;
        if self.counters_are_exact && !self.running.as_ref().is_some_and(is_fresh) {
            let weight = self.rollup.weigh();
            self.running = weight.ok().map(|weight| (weight, Instant::now()));
        }
    }

    /// Weighs it while it stands still.
    ///
    /// # Errors
    /// If it was killed, or is another program by now.
    pub(super) fn still(&self) -> io::Result<Still> {
        if self.counters_are_exact {
            return Ok(Still { counters: Counters::of(self.pid)?, walked: None });
        }
        let weight = self.rollup.weigh()?;
        Ok(Still {
            counters: Counters { rss_bytes: weight.rss_bytes, swap_bytes: weight.swap_bytes },
            walked: Some(weight),
        })
    }

    /// What came of it, when it has been let go.
    pub(super) fn weighed(&self, before: Still, after: Still) -> TargetScale {
        let running = self.running.map(|(weight, _)| weight);
        let now = || self.rollup.weigh().ok();
        let walked = before.walked.or(running).zip(after.walked.or_else(now));
        TargetScale {
            before: before.counters,
            after: after.counters,
            walked: walked.map(|(before, after)| [before, after]),
        }
    }
}

impl TargetScale {
    /// What it has less than before.
    pub(super) fn returned_bytes(&self) -> u64 {
        self.before.rss_bytes.saturating_sub(self.after.rss_bytes)
    }

    /// What of it another process still has. What this one takes in private while it runs doesn't
    /// count.
    pub(super) fn shared_bytes(&self) -> Option<u64> {
        let [before, after] = self.walked?;
        let less = before.shared_bytes().saturating_sub(after.shared_bytes());
        Some(less.min(self.returned_bytes()))
    }

    /// What could not be given back of what was predicted, and what is odd about what was.
    pub(super) fn notes(&self, predicted_bytes: Option<u64>, is_filtered: bool) -> Vec<String> {
        let (before, after) = (self.before, self.after);
        let mut notes = Vec::new();
        let returned = self.returned_bytes();
        match self.shared_bytes() {
            Some(shared) if is_worth_a_word(shared, returned) => notes.push(format!(
                "{} of it are pages that another process still has (parent and child after a fork): \
                 the machine gets them back only when that one gives them back, too",
                Bytes(shared)
            )),
            None if returned > SMALL_BYTES => notes.push(
                "how much of it another process still has isn't known: when it was let go, it ended or \
                 executed another program"
                    .to_owned(),
            ),
            Some(_) | None => {}
        }
        let less = predicted_bytes.map(|predicted| predicted.saturating_sub(returned));
        if let Some(less) = less.filter(|less| is_worth_a_word(*less, less + returned)) {
            let filter = match is_filtered {
                true => "its seccomp filter may have refused madvise, munmap or brk; ",
                false => "",
            };
            notes.push(format!(
                "{} less than predicted were given back: {filter}pages that are locked into memory (mlock) \
                 or huge stay, as do those that the program has taken since it was looked at; of \
                 another allocator's, some may never have been used",
                Bytes(less)
            ));
        }
        if before.swap_bytes > 0 {
            let freed = before.swap_bytes.saturating_sub(after.swap_bytes);
            notes.push(format!(
                "{} of it were in swap and no part of the prediction; {} of them were given back, too",
                Bytes(before.swap_bytes),
                Bytes(freed)
            ));
        }
        notes
    }
}

/// Whether a part is worth a word.
fn is_worth_a_word(part: u64, whole: u64) -> bool {
    part > SMALL_BYTES && part > whole / 100
}

#[cfg(all(test, target_arch = "x86_64"))]
mod tests {
    use super::*;
    use crate::trim::weight::are_exact;
    use crate::trim::weight::tests::Sleeper;
    use remote_call::Held;

    #[test]
    fn both_ways_weigh_the_same() {
        let sleeper = Sleeper::started();
        let scale = |exact| Scale::of(sleeper.pid(), exact).unwrap();
        let (mut counting, mut walking) = (scale(true), scale(false));
        counting.prepare();
        walking.prepare();
        let held = Held::hold(sleeper.pid(), Duration::from_secs(10)).unwrap();
        let counted = counting.still().unwrap();
        let walked = walking.still().unwrap();
        held.release();
        let exact = (0..100).any(|_| are_exact());
        if exact {
            assert_eq!(counted.counters, walked.counters);
        }
        for weighed in [counting.weighed(counted, counted), walking.weighed(walked, walked)] {
            assert_eq!(weighed.returned_bytes(), 0);
            assert_eq!(weighed.shared_bytes(), Some(0));
            let [before, after] = weighed.walked.unwrap();
            assert!(before.private_bytes > 0 && after.private_bytes > 0);
        }
    }

    #[test]
    fn what_runs_on_is_another_or_none() {
        let sleeper = Sleeper::started();
        let mut scale = Scale::of(sleeper.pid(), true).unwrap();
        scale.prepare();
        let still = scale.still().unwrap();
        drop(sleeper);
        let weighed = scale.weighed(still, still);
        assert!(weighed.walked.is_none() && weighed.shared_bytes().is_none());
        assert!(scale.still().is_err());
    }

    #[test]
    fn what_is_shared_by_hand() {
        const MIB: u64 = 1 << 20;
        let weight = |rss, private| RollupWeight {
            rss_bytes: rss * MIB,
            private_bytes: private * MIB,
            swap_bytes: 0,
        };
        let counters = |rss| Counters { rss_bytes: rss * MIB, swap_bytes: 0 };
        let weighed = |before, after| TargetScale {
            before: counters(180),
            after: counters(96),
            walked: Some([before, after]),
        };
        let master = weighed(weight(180, 92), weight(96, 92));
        assert_eq!(master.returned_bytes(), 84 * MIB);
        assert_eq!(master.shared_bytes(), Some(84 * MIB));
        let took_ten_more = weighed(weight(180, 180), weight(106, 106));
        assert_eq!(took_ten_more.shared_bytes(), Some(0));
        let never_more_than_was_returned = weighed(weight(180, 20), weight(96, 96));
        assert_eq!(never_more_than_was_returned.shared_bytes(), Some(84 * MIB));
    }
}
