//! A command that is launched and watched by BPF programs: nothing stops it, and nobody traces it.

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::Context;
use heap_meter::trace::{EventSource, Trace};
use memory_trace::{AttachError, HeldTarget, Target};

use super::attached::{self, Watched};
use super::launched;
use super::oom_kills::OomKills;
use crate::cli::{TraceArguments, ViaArgument};
use crate::hooks::Who;
use crate::signals;

/// Runs the command to its end; gives its own status. If it is to be watched in the best way that there
/// is, and BPF programs may not be had or would miss calls, that is ptrace.
pub(super) fn run(arguments: &TraceArguments) -> anyhow::Result<ExitCode> {
    let or_by_ptrace = arguments.via == Some(ViaArgument::Auto);
    anyhow::ensure!(
        !arguments.hole,
        "--hole stops each program at its first instruction, and --via bpf stops nothing: leave one \
         of them out"
    );
    let (program, words) = arguments.command.split_first().context("no command was given")?;
    let who = arguments.wants_stacks().then(Who::new);
    let killed_before = OomKills::so_far();
    let ends = signals::Ends::listen()?;
    let mut held = HeldTarget::new(&Target::new(program).args(words))?;
    let sink = Watched { story: super::story(arguments), who: who.clone() };
    let attach = match attached::options(arguments, who.as_ref()).start_held(&mut held, sink) {
        Err(error @ AttachError::NoBpf { .. }) if or_by_ptrace => {
            return launched::run(arguments, &ends, Some(format!("watched by ptrace: {error}")));
        }
        attach => attach?,
    };
    let (pid, used, stopper) = (held.pid(), attach.via(), attach.stopper());
    let command_ended = Arc::new(AtomicBool::new(false));
    let has_ended = Arc::clone(&command_ended);
    ends.each(move |signal| {
        if has_ended.load(Ordering::Acquire) {
            stopper.stop();
        } else if !signals::comes_from_the_keyboard(signal) {
            signals::pass_on(signal, pid);
        }
    });
    const GRACE: Duration = Duration::from_secs(1);
    while !held.ends_within(GRACE) {}
    command_ended.store(true, Ordering::Release);
    if !attach.ends_within(GRACE) {
        eprintln!(
            "brkhole: the command has ended, processes that it started have not: still watching; \
             Ctrl-C ends the watching, not them"
        );
    }
    let watched = attach.wait()?;
    let ending = held.wait()?;

    let story = &watched.sink.story;
    let mut trace = Trace::of(story, EventSource::Launch, Some(&arguments.command));
    attached::fill_in(&mut trace, &watched, used);
    trace.exit = Some(ending);
    trace.findings.splice(0..0, killed_before.finding(story));
    trace.notes.extend(who.iter().flat_map(Who::notes));
    trace
        .notes
        .push("what malloc kept isn't known: nothing stood still to be looked into".to_owned());
    super::report(arguments, trace, story, &[])?;
    Ok(ExitCode::from(ending.shell_status() as u8))
}
