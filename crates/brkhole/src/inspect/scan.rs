//! Every process that may be read.

use std::cmp::Reverse;
use std::fs;
use std::io;
use std::panic::resume_unwind;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;

use anyhow::Context;
use indicatif::ProgressBar;
use proc_memory::{Process, Stat};
use ptmalloc::ExaminationLimits;

use super::costly::Shares;
use super::inspected::{Inspected, Survey, UnreadProcess, Why};
use super::look::{Looker, unread};
use crate::output;

/// Bytes of a command name that the kernel keeps.
///
/// # References
/// prctl(2), `PR_SET_NAME`: 16 with the zero at the end
const COMM_BYTES: usize = 15;

/// So many look at once: what is asked of the kernel takes longer than what is made of it, and who
/// looks shall not take the whole machine.
const MOST_LOOKERS: usize = 4;

/// The processes that are visible now, by number.
///
/// # Errors
///
/// When `/proc` can't be listed.
pub(super) fn all_pids() -> io::Result<Vec<i32>> {
    let mut pids = Vec::new();
    for entry in fs::read_dir("/proc")? {
        let name = entry?.file_name();
        pids.extend(name.to_str().and_then(|name| name.parse::<i32>().ok()));
    }
    pids.sort_unstable();
    Ok(pids)
}

/// As many as it makes sense to have on this machine.
pub(super) fn lookers() -> Vec<Looker> {
    let processors = thread::available_parallelism().map_or(1, usize::from);
    let lookers = processors.min(MOST_LOOKERS);
    (0..lookers).map(|_| Looker::default()).collect()
}

/// Looks into all of them, or those with this command name; itself it leaves out. Ends early once
/// it is `over`.
///
/// # Errors
///
/// When `/proc` can't be listed.
pub(super) fn look(
    lookers: &mut [Looker],
    comm: Option<&str>,
    over: &AtomicBool,
) -> anyhow::Result<Survey> {
    let pids = all_pids().context("can't list /proc (mount -t proc proc /proc)")?;
    let round = Round {
        bar: output::bar(
            "{bar:30} {pos}/{len} processes {elapsed}",
            pids.len() as u64,
        ),
        pids: &pids,
        next: AtomicUsize::new(0),
        comm,
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
    survey.processes.sort_by_key(|process| {
        let returnable_bytes = process.returnable_bytes();
        (
            Reverse((returnable_bytes, process.weight.rss_bytes)),
            process.pid,
        )
    });
    survey.unread.sort_by_key(|unread| unread.pid);
    Ok(survey)
}

/// The processes, of which each looker takes the next one that nobody has taken.
struct Round<'a> {
    pids: &'a [i32],
    next: AtomicUsize,
    comm: Option<&'a str>,
    over: &'a AtomicBool,
    bar: ProgressBar,
    shares: Mutex<Shares>,
}

impl Round<'_> {
    fn look(&self, looker: &mut Looker) -> Survey {
        let own = std::process::id() as i32;
        let mut survey = Survey::default();
        while !self.over.load(Ordering::Relaxed)
            && let Some(&pid) = self.pids.get(self.next.fetch_add(1, Ordering::Relaxed))
        {
            self.bar.inc(1);
            if pid == own {
                continue;
            }
            let before = proc_memory::thread_cpu_time();
            let found = self.one(looker, pid);
            let work = proc_memory::thread_cpu_time().saturating_sub(before);
            self.shares().count(pid, work);
            match found {
                Ok(inspected) => survey.processes.extend(inspected),
                Err(unread) => survey.unread.push(unread),
            }
        }
        survey
    }

    /// One of them, unless it has another name.
    fn one(&self, looker: &mut Looker, pid: i32) -> Result<Option<Inspected>, UnreadProcess> {
        let process = Process::open(pid).map_err(|error| unread(&error))?;
        let stat = process.stat().map_err(|error| unread(&error))?;
        if self.comm.is_some_and(|wanted| !is_named(&stat, wanted)) {
            return Ok(None);
        }
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
        Ok(Some(found))
    }

    fn shares(&self) -> MutexGuard<'_, Shares> {
        self.shares.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn is_named(stat: &Stat, wanted: &str) -> bool {
    let wanted = wanted.as_bytes();
    stat.comm == wanted.get(..COMM_BYTES).unwrap_or(wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_is_among_all() {
        let own = std::process::id() as i32;
        assert!(all_pids().unwrap().contains(&own));
    }
}
