//! A command line under the launch source, as `brkhole trace` runs it: for a fresh process, so that
//! its start, its report and its memory count as they do for the command.

use std::ffi::OsString;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Context;
use heap_growth::Story;
use heap_meter::report;
use heap_meter::trace::{EventSource, Observer, Trace};
use memory_trace::{LaunchOptions, Target};
use proc_unwind::Stacks;

use crate::program;
use crate::report::{Work, main_with_roles};

/// Runs a command line, tells the whole story of it as JSON on standard error, and ends as the
/// command did.
///
/// # Errors
/// When the command can't be launched, or not followed to its end.
fn tell(command: &[OsString], options: LaunchOptions) -> anyhow::Result<ExitCode> {
    let (program, arguments) = command.split_first().context("expected a command")?;
    let target = program::without_role(Target::new(program).args(arguments));
    let finished = options.start(&target, Story::default())?.wait()?;
    let mut trace = Trace::of(&finished.sink, EventSource::Launch, Some(command));
    trace.exit = Some(finished.ending);
    trace.lost_events = finished.lost_events;
    trace.observer = Some(Observer::launched(&finished.cost));
    eprintln!("{}", report::json(&trace)?);
    Ok(ExitCode::from(finished.ending.shell_status() as u8))
}

/// The role of launching a command.
pub const LAUNCH: &str = "launch";
/// The role of launching it with a stack at every growth.
pub const STACKS: &str = "launch, with stacks";

/// A bench's `main`, which knows these roles.
pub fn main(name: &str, target_tmp: &str, bench: Work) -> ExitCode {
    let role = |role: &str, command: &[OsString]| match role {
        STACKS => tell(command, with_stacks()),
        _ => tell(command, LaunchOptions::new()),
    };
    main_with_roles(name, target_tmp, role, bench)
}

/// Options that have the stack told at every growth, as `--stacks` does.
fn with_stacks() -> LaunchOptions {
    // The hooks are all called on the tracing thread, so nobody ever waits.
    let stacks = Arc::new(Mutex::new(Stacks::new()));
    let forgetting = Arc::clone(&stacks);
    LaunchOptions::new()
        .at_growth(move |stopped, _| {
            let mut stacks = stacks.lock().unwrap_or_else(PoisonError::into_inner);
            stacks.of(stopped.pid, stopped.tid)
        })
        .at_exit(move |stopped| {
            let mut stacks = forgetting.lock().unwrap_or_else(PoisonError::into_inner);
            stacks.forget(stopped.pid);
        })
}
