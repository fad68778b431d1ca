//! One child under its limit, from its start to its end.

mod proc_files;
mod watch;

use super::board::Board;
use super::flags::Limit;
use super::results::{Ending, LimitInForce, Process, Weighed};
use super::task::Task;
use crate::arm;
use crate::memory_limit::kernel_log::KernelLog;
use crate::memory_limit::{Group, entry};
use anyhow::Context;
use heap_meter::experiment::Stop;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use watch::Watch;

/// Somebody wished to stop.
#[derive(Debug, thiserror::Error)]
#[error("interrupted")]
pub(super) struct Interrupted;

/// What is known of a child that ended.
#[derive(Clone, Debug)]
pub(super) struct Observed {
    pub(super) loaded: u64,
    pub(super) ending: Ending,
    pub(super) process: Process,
    pub(super) limit: LimitInForce,
    pub(super) work_seconds: f64,
    pub(super) weighed: Vec<Weighed>,
    pub(super) break_grown_bytes: u64,
    pub(super) notes: Vec<String>,
}

/// A child that counts, or why it doesn't.
#[derive(Debug)]
pub(super) enum Outcome {
    Counts(Box<Observed>),
    Void { reason: String, notes: Vec<String> },
}

/// Runs a child to its end. `progress` gets the contexts loaded and the bytes resident.
///
/// # Errors
///
/// [`Interrupted`]; that no limit could be put in force; that the child failed at something else
/// than memory.
pub(super) fn observe(
    task: &Task<'_>,
    stop: &Stop,
    progress: &mut dyn FnMut(u64, u64),
) -> anyhow::Result<Outcome> {
    let log = KernelLog::from_now();
    let group = match task.limit {
        Limit::Cgroup => Some(Group::make(task.budget)?),
        Limit::Rlimit => None,
    };
    let (board, input) = Board::new()?;
    let child = start(task, group.as_ref(), input)?;
    let watch = Watch::new(task, child, group, board, log);
    watch.follow(stop, progress)
}

fn start(task: &Task<'_>, group: Option<&Group>, input: Stdio) -> anyhow::Result<Running> {
    let this = std::env::current_exe().context("can't find this program's own file")?;
    let mut command = Command::new(this);
    command
        .args(task.arguments())
        .env(arm::VARIABLE, task.arm)
        // A trace of the failure would take memory that isn't there.
        .env_remove("RUST_BACKTRACE")
        .env_remove("RUST_LIB_BACKTRACE")
        .stdin(input)
        .stdout(Stdio::null())
        // A Ctrl-C is the parent's to act on.
        .process_group(0);
    entry::dies_with_parent(&mut command);
    match group {
        Some(group) => {
            entry::first_victim(&mut command);
            group.enter(&mut command)?;
        }
        None => entry::with_data_limit(&mut command, task.budget),
    }
    let child = command.spawn().with_context(|| match group {
        Some(group) => format!(
            "can't start a child in the cgroup {}",
            group.directory().display()
        ),
        None => "can't start a child with the resource limit".to_owned(),
    })?;
    Ok(Running(child))
}

/// A child that doesn't outlive this value.
struct Running(Child);

impl Running {
    fn pid(&self) -> i32 {
        self.0.id() as i32
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Both fail only for a child that has ended and was waited for.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
