//! One child under its limit, from its start to its end, and how it ended.

use super::flags::{BudgetLimit, Task};
use super::results::{ChildProcess, LimitInForce, LoadRun, LoadWeight, RunEnd};
use super::work::told;
use crate::drive::child_of;
use crate::memory_limit::kernel_log::KernelLog;
use crate::memory_limit::{MemoryCgroup, enter_before_exec};
use anyhow::{Context, bail, ensure};
use heap_meter::experiment::{Ended, RunError, StopFlag, observe_to_end};
use proc_memory::{Limits, Process};
use std::cell::Cell;
use std::os::unix::process::ExitStatusExt;

/// malloc asks for little more than this at once, so an allocation that the limit refused leaves
/// less than it.
const NEAR_THE_LIMIT_BYTES: u64 = 2 << 20;

/// Runs a child of an arm to its end: the run, or why it doesn't count. `progress` gets the contexts
/// loaded and the bytes resident, `note` what isn't as one would wish.
///
/// # Errors
/// [`RunError::Interrupted`]; that no limit could be put in force; that the child failed at something
/// else than memory.
pub(super) fn observe(
    task: &Task,
    arm: &str,
    stop: &StopFlag,
    progress: &mut dyn FnMut(u64, u64),
    note: &mut dyn FnMut(String),
) -> anyhow::Result<Result<LoadRun, String>> {
    let mut log = KernelLog::from_now();
    let group = match task.limit {
        BudgetLimit::Cgroup => Some(MemoryCgroup::make(task.budget)?),
        BudgetLimit::Rlimit => None,
    };
    if let Some(group) = &group {
        group.notes.iter().cloned().for_each(&mut *note);
    }
    let target = child_of(arm, task.arguments())?
        // A trace of the failure would take memory that isn't there.
        .env_remove("RUST_BACKTRACE")
        .env_remove("RUST_LIB_BACKTRACE");
    let mut entrance = group.as_ref().map(MemoryCgroup::entrance).transpose()?;
    let loaded = Cell::new(0);
    let mut looks = Looks { task, group: group.as_ref(), child: None, seen: Vec::new() };
    let pid = Cell::new(None);
    let ended = observe_to_end(
        &target,
        stop,
        &mut |done, _| {
            loaded.set(done);
            progress(done, pid.get().map_or(0, resident_bytes));
        },
        &mut |command| {
            if let Some(entrance) = entrance.take() {
                enter_before_exec(entrance, command);
            }
        },
        &mut |waiting| {
            pid.set(Some(waiting));
            Ok(looks.look(waiting, loaded.get())?)
        },
    );
    let ended = ended.map_err(|error| match error {
        // Its program is this one: what can't be done is to enter the cgroup.
        RunError::Start { .. } => anyhow::Error::new(error).context("under its limit"),
        error => error.into(),
    })?;
    let counted = match &ended.weighed.void {
        Some(reason) => Err(reason.clone()),
        None => Ok(run(task, arm, loaded.get(), &ended, looks, &mut log, note)?),
    };
    if let Some(group) = group {
        group.remove()?;
    }
    Ok(counted)
}

/// What is looked at while the child waits at a checkpoint.
struct Looks<'a> {
    task: &'a Task,
    group: Option<&'a MemoryCgroup>,
    /// Who it is and its limit, before it does anything.
    child: Option<(i32, String, LimitInForce)>,
    /// Locations, what its cgroup is charged, and its data: in bytes.
    seen: Vec<(u64, Option<u64>, Option<u64>)>,
}

impl Looks<'_> {
    fn look(&mut self, pid: i32, locations: u64) -> anyhow::Result<()> {
        let process = Process::open(pid)?;
        let limits = Limits::of(&process)?;
        if self.child.is_none() {
            let limit = self.in_force(pid, &limits)?;
            self.child = Some((pid, process.stat()?.name(), limit));
        }
        let counters = self.group.map(MemoryCgroup::counters);
        let usage_bytes = counters.and_then(|counters| counters.usage_bytes);
        let data_bytes = limits.data.map(|limit| limit.used_bytes);
        self.seen.push((locations, usage_bytes, data_bytes));
        Ok(())
    }

    /// Whether the child is under its limit.
    fn in_force(&self, pid: i32, limits: &Limits) -> anyhow::Result<LimitInForce> {
        let Some(group) = self.group else {
            let limit = limits.data.context("the child has no RLIMIT_DATA")?;
            ensure!(
                limit.limit_bytes == self.task.budget,
                "RLIMIT_DATA was set to {}, but is {}",
                self.task.budget,
                limit.limit_bytes
            );
            return Ok(LimitInForce::Rlimit {
                resource: "RLIMIT_DATA".to_owned(),
                limit_bytes: limit.limit_bytes,
            });
        };
        ensure!(
            group.holds_only(pid),
            "the child isn't alone under its limit in the cgroup {}; nothing is run",
            group.directory.display()
        );
        let now = group.counters();
        ensure!(
            now.oom_kill.is_some(),
            "this kernel doesn't count OOM kills in {}, so that none could be proven (Linux 4.13 \
             does)",
            group.directory.display()
        );
        Ok(LimitInForce::Cgroup {
            version: group.version,
            name: group.name(),
            limit_bytes: group.limit_bytes,
            before: now,
            after: now,
        })
    }
}

fn run(
    task: &Task,
    arm: &str,
    loaded: u64,
    ended: &Ended,
    looks: Looks<'_>,
    log: &mut KernelLog,
    note: &mut dyn FnMut(String),
) -> anyhow::Result<LoadRun> {
    let (facts, status) = (&ended.weighed.run.facts, ended.status);
    let failure = facts.get(told::ERROR);
    let Some((pid, comm, mut limit)) = looks.child else {
        bail!(
            "a child of {arm} ended before its first location ({status}); try a greater --budget"
        );
    };
    let mut kernel_log = None;
    let mut oom_killed = false;
    if let (Some(group), LimitInForce::Cgroup { before, after, .. }) = (looks.group, &mut limit) {
        *after = group.counters();
        oom_killed = after.oom_killed_since(before);
        if oom_killed {
            match log.kill_in(&group.name()) {
                Ok(found) => kernel_log = found,
                Err(why) => note(why),
            }
        }
    }
    let mut seen = looks.seen;
    let ending = match (status.signal(), failure) {
        (Some(libc::SIGKILL), _) if oom_killed => RunEnd::OomKilled { kernel_log },
        (Some(signal), _) => RunEnd::Signalled { signal },
        (None, Some(error)) => {
            // At the last checkpoint it said so, and wasn't weighed for the report.
            let data_bytes = seen.pop().and_then(|(.., data_bytes)| data_bytes);
            let near = data_bytes.is_some_and(|bytes| bytes + NEAR_THE_LIMIT_BYTES >= task.budget);
            // A failure is the limit's only if the limit was met.
            ensure!(task.limit == BudgetLimit::Rlimit && near, "a child of {arm} failed: {error}");
            RunEnd::AllocationFailed { error: error.clone(), data_bytes }
        }
        (None, None) if status.success() => RunEnd::Done,
        (None, None) => bail!("a child of {arm} failed: {status}"),
    };
    let unfinished = match failure.is_none() && !status.success() {
        true => ended.unfinished_seconds,
        false => 0.0,
    };
    let weighed = ended.weighed.run.checkpoints.iter().zip(seen);
    let weighed: Vec<LoadWeight> = weighed
        .map(|(at, (locations, usage_bytes, _))| LoadWeight {
            locations,
            rss_bytes: at.snapshot.rss_bytes,
            address_space_bytes: at.snapshot.address_space_bytes,
            usage_bytes,
        })
        .collect();
    let grown = facts.get(told::BREAK_GROWN);
    Ok(LoadRun {
        locations: loaded,
        ending,
        process: ChildProcess { pid, comm, status: status.to_string() },
        limit,
        work_seconds: ended.weighed.run.wall_seconds + unfinished,
        bytes_per_location: bytes_per_location(&weighed),
        weighed,
        break_grown_bytes: grown.and_then(|bytes| bytes.parse().ok()).unwrap_or(0),
    })
}

/// Growth between the first and the last weighing.
fn bytes_per_location(weighed: &[LoadWeight]) -> Option<f64> {
    let (first, last) = (weighed.first()?, weighed.last()?);
    let locations = last.locations - first.locations;
    (locations > 0).then(|| (last.rss_bytes as f64 - first.rss_bytes as f64) / locations as f64)
}

/// Roughly: for a look on the way. 0 for a process that has ended.
fn resident_bytes(pid: i32) -> u64 {
    let stat = Process::open(pid).and_then(|process| process.stat());
    let pages = stat.map_or(0, |stat| stat.rss_pages);
    pages * proc_memory::page_size_bytes()
}
