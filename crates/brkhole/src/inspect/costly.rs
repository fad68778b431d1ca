//! Processes that cost much to look into, beside many that don't.
//!
//! All are looked at briefly first, so that those which cost little are known whatever the others
//! cost. The others follow one after the other, of each user one in turn, so that one user's don't
//! take what another's get. Of one user's those that want a little more come before those that want
//! much. What is left out is said to be unknown.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::time::{Duration, Instant};

use proc_memory::Process;
use ptmalloc::{Bound, ExaminationLimits, Unknown};

use super::inspected::Inspected;
use super::look::Looker;

/// What one process gets in its second look,
const SOME: Duration = Duration::from_millis(500);
/// and in its last one.
const EACH: Duration = Duration::from_secs(5);
/// A first look at which the processor works so long is at a process that has made something big: its
/// list of mappings, say, which is told whole or not at all. That counts among its user's.
const LONG: Duration = Duration::from_millis(100);
/// What all of one user's get together,
const OWNERS: Duration = Duration::from_secs(10);
/// and so long after the survey began the last second look begins. First looks, which know no such
/// end, are over long before it, unless there are thousands of processes that each take long.
const ALL: Duration = Duration::from_secs(40);
/// From then on every first look counts among its user's: many that take little are much, too.
const LATE: Duration = Duration::from_secs(20);
/// Arenas that are told of one user's processes.
const MOST_ARENAS: usize = 65_536;
/// Processes with no more arenas than this aren't counted among those.
const FEW_ARENAS: usize = 8;

/// Asks whether to end before all is done.
pub(crate) type Over<'a> = &'a (dyn Fn() -> bool + Sync);

/// What each user's processes have cost.
#[derive(Debug)]
pub(super) struct Shares {
    begun: Instant,
    of: HashMap<u32, Share>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Share {
    time: Duration,
    arenas: usize,
}

impl Shares {
    /// Of a survey that begins now.
    pub(super) fn new() -> Self {
        Self { begun: Instant::now(), of: HashMap::new() }
    }

    /// Leaves malloc's state out of a process whose user's have as many arenas as are told.
    pub(super) fn keep(&mut self, process: &mut Inspected) {
        let arenas = process.arenas();
        if arenas <= FEW_ARENAS {
            return;
        }
        let share = self.of.entry(owner(process.pid)).or_default();
        if share.arenas + arenas > MOST_ARENAS {
            process.leave_out(Unknown::Costly(Bound::Arenas(MOST_ARENAS)));
        } else {
            share.arenas += arenas;
        }
    }

    /// Counts a first look that has taken so much work.
    pub(super) fn count(&mut self, pid: i32, work: Duration) {
        if work >= LONG || self.begun.elapsed() >= LATE {
            self.of.entry(owner(pid)).or_default().time += work;
        }
    }

    /// Whether a process is one of a user's whose others have taken all that they get.
    pub(super) fn are_spent(&self, pid: i32) -> bool {
        let is_spent = |share: &Share| share.time >= OWNERS;
        self.of.values().any(is_spent) && self.of.get(&owner(pid)).is_some_and(is_spent)
    }

    /// Looks once more at those that cost too much the first time, as far as their users' shares
    /// go; ends early once it is `over`.
    pub(super) fn again(&mut self, looker: &mut Looker, processes: &mut [Inspected], over: Over) {
        let mut queues = BTreeMap::<u32, VecDeque<(Duration, &mut Inspected)>>::new();
        for process in processes.iter_mut().filter(|process| process.is_costly()) {
            queues.entry(owner(process.pid)).or_default().push_back((SOME, process));
        }
        while !queues.is_empty() && !over() {
            queues.retain(|owner, queue| {
                let spent = self.of.entry(*owner).or_default().time;
                let left = OWNERS.saturating_sub(spent);
                let left = left.min(ALL.saturating_sub(self.begun.elapsed()));
                let Some((time, process)) = queue.pop_front().filter(|_| !left.is_zero()) else {
                    return false;
                };
                let since = Instant::now();
                let mut limits = ExaminationLimits::WHOLE;
                limits.time = left.min(time);
                looker.limit(limits);
                if let Some(mut found) = anew(looker, process) {
                    self.keep(&mut found);
                    *process = found;
                }
                self.of.entry(*owner).or_default().time += since.elapsed();
                if time < EACH && wants_time(process) {
                    queue.push_back((EACH, process));
                }
                true
            });
        }
    }
}

fn wants_time(process: &Inspected) -> bool {
    let why = process.malloc_unknown_class.as_ref();
    matches!(why, Some(Unknown::Costly(Bound::Time(_))))
}

/// The same process, looked at once more; nothing if it is gone.
fn anew(looker: &mut Looker, before: &Inspected) -> Option<Inspected> {
    let process = Process::open(before.pid).ok()?;
    let stat = process.stat().ok()?;
    let found = looker.at_one_of_many(&process, stat).ok()?;
    (found.comm == before.comm).then_some(found)
}

/// Whose share a process is of. One that is gone costs nothing.
fn owner(pid: i32) -> u32 {
    let uid = Process::open(pid).and_then(|process| process.real_uid());
    uid.unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_long_looks_count_and_only_among_their_users() {
        let own = std::process::id() as i32;
        let mut shares = Shares::new();
        for _ in 0..1000 {
            shares.count(own, LONG - Duration::from_nanos(1));
        }
        assert!(!shares.are_spent(own));
        shares.begun = shares.begun.checked_sub(LATE).expect("it runs longer");
        shares.count(own, OWNERS);
        assert!(shares.are_spent(own));
        let mut shares = Shares::new();
        shares.count(own, OWNERS);
        assert!(shares.are_spent(own));
        // There is no such process, so that it is nobody's.
        assert!(!shares.are_spent(0));
    }
}
