//! Follows a child through its states to its end, and says how it ended.

use super::proc_files::{data_bytes, data_limit, resident_bytes};
use super::{Interrupted, Observed, Outcome, Running};
use crate::memory_limit::Group;
use crate::memory_limit::kernel_log::KernelLog;
use crate::oom::board::{Board, State};
use crate::oom::flags::Limit;
use crate::oom::results::{Ending, LimitInForce, Process, Weighed};
use crate::oom::task::Task;
use anyhow::{Context, bail, ensure};
use heap_meter::experiment::Stop;
use heap_meter::snapshot::Snapshot;
use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// Between two looks at the child.
const LOOK: Duration = Duration::from_millis(2);

/// malloc asks for little more than this at once, so an allocation that the limit refused leaves
/// less than it.
const NEAR_THE_LIMIT_BYTES: u64 = 2 << 20;

/// A child and all that is held for it.
pub(super) struct Watch<'a> {
    task: &'a Task<'a>,
    // Before the group, which can be removed only without it.
    child: Running,
    group: Option<Group>,
    board: Board,
    log: KernelLog,
    weighed: Vec<Weighed>,
    limit: Option<LimitInForce>,
    /// What the child said when it failed, and its data then.
    failure: Option<(String, Option<u64>)>,
    worked: Duration,
}

impl<'a> Watch<'a> {
    pub(super) fn new(
        task: &'a Task<'a>,
        child: Running,
        group: Option<Group>,
        board: Board,
        log: KernelLog,
    ) -> Self {
        Self {
            task,
            child,
            group,
            board,
            log,
            weighed: Vec::new(),
            limit: None,
            failure: None,
            worked: Duration::ZERO,
        }
    }

    pub(super) fn follow(
        mut self,
        stop: &Stop,
        progress: &mut dyn FnMut(u64, u64),
    ) -> anyhow::Result<Outcome> {
        let pid = self.child.pid();
        let comm = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
        let comm = comm.trim_end().to_owned();
        let mut asked = self.task.work.reloads();
        let mut began = Instant::now();
        let status = loop {
            if stop.is_wanted() {
                return Err(Interrupted.into());
            }
            if let Some(status) = self
                .child
                .0
                .try_wait()
                .context("can't wait for the child")?
            {
                break status;
            }
            let state = self.board.state();
            if state == State::Busy {
                let rss_bytes = resident_bytes(pid);
                progress(self.board.loaded.load(Ordering::Relaxed), rss_bytes);
                if !asked && rss_bytes >= self.task.budget / 2 {
                    self.board.ask_for_pause();
                    asked = true;
                }
                std::thread::sleep(LOOK);
                continue;
            }
            match state {
                State::Void => return self.void(),
                State::Ready => self.limit = Some(self.in_force()?),
                _ => self.worked += began.elapsed(),
            }
            match state {
                State::Failed => self.failure = Some((self.board.text(), data_bytes(pid))),
                _ => self.weigh()?,
            }
            began = Instant::now();
            self.board.go_on();
        };
        if self.failure.is_none() && !status.success() {
            self.worked += began.elapsed();
        }
        self.ended(comm, status)
    }

    fn void(mut self) -> anyhow::Result<Outcome> {
        let reason = self.board.text();
        self.board.go_on();
        self.child.0.wait().context("can't wait for the child")?;
        let mut notes = Vec::new();
        if let Some(group) = self.group.take() {
            notes.extend_from_slice(group.notes());
            group.remove()?;
        }
        Ok(Outcome::Void { reason, notes })
    }

    /// Whether the child is under its limit, before it does anything.
    fn in_force(&self) -> anyhow::Result<LimitInForce> {
        let pid = self.child.pid();
        let Some(group) = &self.group else {
            let limits = fs::read_to_string(format!("/proc/{pid}/limits"))
                .context("can't read the child's limits")?;
            let limit_bytes = data_limit(&limits).context("the child has no RLIMIT_DATA")?;
            ensure!(
                limit_bytes == self.task.budget,
                "RLIMIT_DATA was set to {}, but is {limit_bytes}",
                self.task.budget
            );
            return Ok(LimitInForce::Rlimit {
                resource: "RLIMIT_DATA",
                limit_bytes,
            });
        };
        ensure!(
            group.holds_only(pid),
            "the child isn't alone under its limit in the cgroup {}; nothing is run",
            group.directory().display()
        );
        let now = group.evidence();
        ensure!(
            now.oom_kill.is_some(),
            "this kernel doesn't count OOM kills in {}, so that none could be proven (Linux 4.13 \
             does)",
            group.directory().display()
        );
        Ok(LimitInForce::Cgroup {
            version: group.version(),
            name: group.name(),
            limit_bytes: group.limit_bytes(),
            before: now,
            after: now,
        })
    }

    fn weigh(&mut self) -> anyhow::Result<()> {
        let snapshot = Snapshot::of(self.child.pid())?;
        let usage = self.group.as_ref().map(Group::evidence);
        self.weighed.push(Weighed {
            locations: self.board.loaded.load(Ordering::Relaxed),
            rss_bytes: snapshot.rss_bytes,
            address_space_bytes: snapshot.address_space_bytes,
            usage_bytes: usage.and_then(|evidence| evidence.usage_bytes),
        });
        Ok(())
    }

    fn ended(mut self, comm: String, status: ExitStatus) -> anyhow::Result<Outcome> {
        let Some(mut limit) = self.limit.take() else {
            bail!(
                "a child of {} ended before its first location ({status}){}; try a greater --budget",
                self.task.arm,
                self.failure
                    .map(|(error, _)| format!(": {error}"))
                    .unwrap_or_default()
            );
        };
        let mut notes = Vec::new();
        let mut kernel_log = None;
        let mut oom_killed = false;
        if let (Some(group), LimitInForce::Cgroup { before, after, .. }) = (&self.group, &mut limit)
        {
            *after = group.evidence();
            oom_killed = after.oom_killed_since(before);
            notes.extend_from_slice(group.notes());
            if oom_killed {
                match self.log.kill_in(&group.name()) {
                    Ok(found) => kernel_log = found,
                    Err(why) => notes.push(why),
                }
            }
        }
        let ending = match (status.signal(), self.failure.take()) {
            (Some(libc::SIGKILL), _) if oom_killed => Ending::OomKilled { kernel_log },
            (Some(signal), _) => Ending::Signalled { signal },
            (None, Some((error, data_bytes))) => self.allocation_failed(error, data_bytes)?,
            (None, None) if status.success() => Ending::Done,
            (None, None) => bail!("a child of {} failed: {status}", self.task.arm),
        };
        let observed = Observed {
            loaded: self.board.loaded.load(Ordering::Relaxed),
            ending,
            process: Process {
                pid: self.child.pid(),
                comm,
                status: status.to_string(),
            },
            limit,
            work_seconds: self.worked.as_secs_f64(),
            break_grown_bytes: self.break_grown_bytes(),
            weighed: self.weighed,
            notes,
        };
        if let Some(group) = self.group.take() {
            group.remove()?;
        }
        Ok(Outcome::Counts(Box::new(observed)))
    }

    /// A failure is the limit's only if the limit was met.
    fn allocation_failed(&self, error: String, data_bytes: Option<u64>) -> anyhow::Result<Ending> {
        let near = data_bytes.is_some_and(|bytes| bytes + NEAR_THE_LIMIT_BYTES >= self.task.budget);
        ensure!(
            self.task.limit == Limit::Rlimit && near,
            "a child of {} failed: {error}",
            self.task.arm
        );
        Ok(Ending::AllocationFailed { error, data_bytes })
    }

    fn break_grown_bytes(&self) -> u64 {
        let first = self.board.first_break.load(Ordering::Relaxed);
        let last = self.board.last_break.load(Ordering::Relaxed);
        last.saturating_sub(first)
    }
}
