//! The child's work: load contexts, and load them again as a reload does, until it is done or the
//! kernel ends it. A killed process can't say how far it got, so it says so after each context.

use super::flags::{BudgetLimit, Task};
use crate::arm;
use crate::child::{Child, first_victim};
use crate::locations::{load, load_shared, room_for};
use anyhow::Context;
use brk_hole::{BeforeMain, Vm, program_break};
use heap_meter::experiment::Checkpoints;
use memmap2::MmapMut;
use nix::sys::resource::{Resource, setrlimit};
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read};
use std::process::ExitCode;
use trusted_ca::{ContextError, ErrorQueue, LoadError, SslContext};

/// What the child tells, by these names.
pub(super) mod told {
    /// Bytes by which the break has grown.
    pub(in crate::oom) const BREAK_GROWN: &str = "break_grown_bytes";
    /// Why it failed; it waits at a checkpoint then.
    pub(in crate::oom) const ERROR: &str = "error";
}

pub(super) fn main(arguments: &[OsString], trick: &BeforeMain) -> anyhow::Result<ExitCode> {
    let task = Task::from_arguments(arguments)?;
    first_victim();
    if task.limit == BudgetLimit::Rlimit {
        // Of its break and its private writable mappings (since Linux 4.7: mm/mmap.c,
        // may_expand_vm).
        setrlimit(Resource::RLIMIT_DATA, task.budget, task.budget)
            .context("can't set RLIMIT_DATA")?;
    }
    let child = Child::new(trick);
    let checkpoints = child.checkpoints;
    match work(&task, &child) {
        Ok(()) => Ok(ExitCode::SUCCESS),
        Err(error) if !checkpoints.is_watched() => Err(error),
        Err(error) => {
            let text = match task.limit {
                BudgetLimit::Rlimit => words(&error),
                BudgetLimit::Cgroup => format!("{error:#}"),
            };
            checkpoints.tell(told::ERROR, format_args!("{text}"))?;
            checkpoints.reach("failed")?;
            Ok(ExitCode::FAILURE)
        }
    }
}

/// OpenSSL's own words, if it was OpenSSL that failed: under a resource limit what is wrong isn't the
/// bundle.
fn words(error: &anyhow::Error) -> String {
    if let Some(refused) = error.downcast_ref::<LoadError>() {
        return format!("OpenSSL: {}", refused.queue);
    }
    if let Some(refused) = error.downcast_ref::<ContextError>() {
        return format!("OpenSSL, {}: {}", refused.call, refused.queue);
    }
    format!("{error:#}")
}

fn work(task: &Task, child: &Child) -> anyhow::Result<()> {
    let vm = Vm::new().context("can't make the Lua state")?;
    // What OpenSSL sets up once per process is no location's cost; its error queue is set up by the
    // first look into it.
    drop(SslContext::new()?);
    ErrorQueue::drain();
    let capacity = usize::try_from(task.locations)?;
    let mut present = Vec::with_capacity(capacity);
    let mut next = Vec::with_capacity(if task.reloads { capacity } else { 0 });
    if !child.counts(room_for(task.contexts(), &task.bundle)?.min(task.budget))? {
        return Ok(());
    }
    if task.limit == BudgetLimit::Rlimit {
        refused_beyond(task.budget)?;
    }
    let mut filling = Filling {
        task,
        checkpoints: child.checkpoints,
        loaded: 0,
        first_break: program_break(),
        // A reload is weighed at its ends alone.
        weighed_at_half: task.reloads,
    };
    // Once before anything counts: the program's own pages for it are there then.
    filling.tell()?;
    resident_bytes()?;
    child.checkpoints.reach("start")?;
    filling.fill(&mut present)?;
    if task.reloads {
        // A reload makes the new configuration's Lua state before the old one goes.
        let new_vm = Vm::new().context("can't make the Lua state")?;
        filling.fill(&mut next)?;
        // As nginx frees a cycle: the newest first.
        present.into_iter().rev().for_each(drop);
        drop(vm);
        child.checkpoints.reach("done")?;
        drop(new_vm);
    } else {
        child.checkpoints.reach("done")?;
        drop(vm);
    }
    Ok(())
}

/// How far the loading is.
struct Filling<'a> {
    task: &'a Task,
    checkpoints: Checkpoints,
    loaded: u64,
    first_break: usize,
    weighed_at_half: bool,
}

impl Filling<'_> {
    fn fill(&mut self, contexts: &mut Vec<SslContext>) -> anyhow::Result<()> {
        let load = if arm::wants_sharing() { load_shared } else { load };
        for _ in 0..self.task.locations {
            contexts.push(load(&self.task.bundle)?);
            self.loaded += 1;
            self.tell()?;
            if !self.weighed_at_half && resident_bytes()? >= self.task.budget / 2 {
                self.weighed_at_half = true;
                self.checkpoints.reach("half")?;
            }
        }
        Ok(())
    }

    /// How far it is; without the heap, which is measured.
    fn tell(&self) -> io::Result<()> {
        let grown = program_break().saturating_sub(self.first_break);
        self.checkpoints.tell(told::BREAK_GROWN, format_args!("{grown}"))?;
        self.checkpoints.progress(self.loaded, self.task.contexts())
    }
}

/// Of this process, roughly; without the heap, too.
///
/// # References
/// proc_pid_statm(5)
fn resident_bytes() -> io::Result<u64> {
    let mut line = [0; 256];
    let length = File::open("/proc/self/statm")?.read(&mut line)?;
    let pages = std::str::from_utf8(&line[..length])
        .ok()
        .and_then(|line| line.split(' ').nth(1)?.parse::<u64>().ok());
    let pages = pages.ok_or(io::ErrorKind::InvalidData)?;
    Ok(pages * proc_memory::page_size_bytes())
}

/// Proves that the resource limit is in force: a kernel may have been told to ignore it.
fn refused_beyond(budget: u64) -> anyhow::Result<()> {
    match MmapMut::map_anon(usize::try_from(budget)?) {
        Err(_) => Ok(()),
        Ok(_) => anyhow::bail!(
            "the kernel doesn't keep to RLIMIT_DATA: it gave a mapping as large as the whole limit \
             (was it started with ignore_rlimit_data?)"
        ),
    }
}
