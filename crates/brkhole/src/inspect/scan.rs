//! Every process that may be read, or those that are wanted.

use std::cmp::Reverse;
use std::panic::resume_unwind;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use indicatif::ProgressBar;
use proc_memory::Process;
use ptmalloc::ExaminationLimits;

use super::costly::{Over, Shares};
use super::inspected::{Inspected, Survey, UnreadProcess, Why};
use super::look::{Looker, unread};
use crate::output;

/// So many look at once: what is asked of the kernel takes longer than what is made of it, and who
/// looks shall not take the whole machine.
const MOST_LOOKERS: usize = 4;

/// Of so many processes it is told whose memory they have,
const MOST_ACCOUNTS: usize = 5;
/// within so much time.
pub(crate) const ACCOUNTS_TIME: Duration = Duration::from_secs(5);
/// In every survey, within this.
const OTHERS_TIME: Duration = Duration::from_secs(1);

/// As many as it makes sense to have on this machine.
pub(crate) fn lookers() -> Vec<Looker> {
    let processors = thread::available_parallelism().map_or(1, usize::from);
    let lookers = processors.min(MOST_LOOKERS);
    (0..lookers).map(|_| Looker::default()).collect()
}

/// Looks into all of these. Ends early once it is `over`.
pub(crate) fn look(lookers: &mut [Looker], pids: &[i32], over: Over) -> Survey {
    let round = Round {
        bar: output::bar("{bar:30} {pos}/{len} processes {elapsed}", pids.len() as u64),
        pids,
        next: AtomicUsize::new(0),
        over,
        shares: Mutex::new(Shares::new()),
    };
    let mut survey = Survey::default();
    thread::scope(|scope| {
        let mut threads = Vec::with_capacity(lookers.len());
        for looker in lookers.iter_mut() {
            looker.limit(ExaminationLimits::BRIEF);
            threads.push(scope.spawn(|| round.look(looker)));
        }
        for thread in threads {
            let found = thread.join().unwrap_or_else(|panic| resume_unwind(panic));
            survey.processes.extend(found.processes);
            survey.unread.extend(found.unread);
        }
    });
    if let [looker, ..] = lookers {
        round.shares().again(looker, &mut survey.processes, over);
    }
    round.bar.finish_and_clear();
    sort(&mut survey.processes);
    survey.unread.sort_by_key(|unread| unread.pid);
    survey
}

/// Those first that could return most.
fn sort(processes: &mut [Inspected]) {
    processes.sort_by_key(|process| {
        let returnable_bytes = process.returnable_bytes();
        (Reverse((returnable_bytes, process.weight.rss_bytes)), process.pid)
    });
}

/// Finds out whose memory the largest have. That takes some times what the kernel needs to weigh their
/// mappings, and one that is at work is read again and again, so there is a budget.
pub(crate) fn account(lookers: &mut [Looker], survey: &mut Survey, most: Duration, over: Over) {
    account_of(lookers, survey, most, over, |_| true);
}

/// The same of those of whose malloc nothing else tells what it would give back.
pub(super) fn account_of_others(lookers: &mut [Looker], survey: &mut Survey, over: Over) {
    account_of(lookers, survey, OTHERS_TIME, over, |process| {
        matches!(process.allocator.as_deref(), Some("jemalloc" | "mimalloc"))
    });
    sort(&mut survey.processes);
}

fn account_of(
    lookers: &mut [Looker],
    survey: &mut Survey,
    most: Duration,
    over: Over,
    is_meant: impl Fn(&Inspected) -> bool,
) {
    let [looker, ..] = lookers else {
        return;
    };
    let begun = Instant::now();
    let mut largest: Vec<_> = survey.processes.iter_mut().filter(|one| is_meant(one)).collect();
    largest.sort_by_key(|process| Reverse(process.weight.rss_bytes));
    let mut limits = ExaminationLimits::WHOLE;
    limits.time = most / MOST_ACCOUNTS as u32;
    looker.limit(limits);
    let mut accounted = 0;
    // On to the next for one that has ended since it was looked at.
    for process in largest {
        if accounted == MOST_ACCOUNTS || over() || begun.elapsed() >= most {
            break;
        }
        if process.account.is_none() {
            looker.account(process);
        }
        accounted += usize::from(process.account.is_some());
    }
    survey.seconds += begun.elapsed().as_secs_f64();
}

/// The processes, of which each looker takes the next one that nobody has taken.
struct Round<'a> {
    pids: &'a [i32],
    next: AtomicUsize,
    over: Over<'a>,
    bar: ProgressBar,
    shares: Mutex<Shares>,
}

impl Round<'_> {
    fn look(&self, looker: &mut Looker) -> Survey {
        let mut survey = Survey::default();
        while !(self.over)()
            && let Some(&pid) = self.pids.get(self.next.fetch_add(1, Ordering::Relaxed))
        {
            self.bar.inc(1);
            let before = proc_memory::thread_cpu_time();
            let found = self.one(looker, pid);
            let work = proc_memory::thread_cpu_time().saturating_sub(before);
            self.shares().count(pid, work);
            match found {
                Ok(inspected) => survey.processes.push(inspected),
                Err(unread) => survey.unread.push(unread),
            }
        }
        survey
    }

    fn one(&self, looker: &mut Looker, pid: i32) -> Result<Inspected, UnreadProcess> {
        let process = Process::open(pid).map_err(|error| unread(&error))?;
        let stat = process.stat().map_err(|error| unread(&error))?;
        if stat.is_kernel_thread() {
            return Err(UnreadProcess {
                pid,
                why: Why::KernelThread,
                told: format!("process {pid}: it is a kernel thread and has no memory of its own"),
            });
        }
        if self.shares().are_spent(pid) {
            return Err(UnreadProcess {
                pid,
                why: Why::Other,
                told: format!(
                    "process {pid}: other processes of its user have taken all the time that one \
                     user's get (`brkhole inspect {pid}` looks at this one)"
                ),
            });
        }
        let mut found = looker.at_one_of_many(&process, stat)?;
        self.shares().keep(&mut found);
        Ok(found)
    }

    fn shares(&self) -> MutexGuard<'_, Shares> {
        self.shares.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
