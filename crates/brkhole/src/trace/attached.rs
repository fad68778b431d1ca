//! A process that runs already.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use heap_growth::Story;
use heap_meter::trace::{EventSource, Observer, Trace};
use memory_event::{Event, Sink};
use memory_trace::{Attach, AttachError, AttachOptions, Attached, Via, ViaUsed, Whom};
use proc_memory::Process;

use super::kept;
use super::oom_kills::OomKills;
use crate::cli::{TraceArguments, ViaArgument};
use crate::hooks::Who;
use crate::processes::{command_line, counted};
use crate::{output, signals};

/// So many are held open to look into their malloc at the end.
const MOST_LOOKED_AT: usize = 256;

/// Watches until the processes end, the time is over, or a signal comes; the processes go on.
pub(super) fn run(
    arguments: &TraceArguments,
    mut whom: Whom,
    note: Option<String>,
) -> anyhow::Result<ExitCode> {
    let ends = signals::Ends::listen()?;
    let who = arguments.wants_stacks().then(Who::new);
    let killed_before = OomKills::so_far();
    let attach = loop {
        let sink = Watched { story: super::story(arguments), who: who.clone() };
        match (options(arguments, who.as_ref()).start(whom.clone(), sink), &mut whom) {
            // Found by name, and gone since.
            (
                Err(AttachError::NoSuchProcess { pid } | AttachError::Zombie { pid, .. }),
                Whom::Processes(pids) | Whom::Cgroup { pids, .. },
            ) if arguments.pids.is_empty() && pids.len() > 1 => {
                pids.retain(|other| *other != pid);
            }
            (attach, _) => break attach?,
        }
    };
    let mut pids = whom.pids().to_vec();
    let command = match pids[..] {
        [pid] => command_line(pid),
        _ => None,
    };
    let mut held = opened(&pids);
    let used = attach.via();
    let stopper = attach.stopper();
    ends.each(move |_| stopper.stop());
    wait(&attach, arguments, &pids);
    let watched = attach.wait()?;

    let story = &watched.sink.story;
    let mut trace = Trace::of(story, EventSource::Attach, command.as_deref());
    fill_in(&mut trace, &watched, used);
    trace.findings.splice(0..0, killed_before.finding(story));
    trace.notes.extend(note);
    trace.notes.extend(who.iter().flat_map(Who::notes));
    if arguments.all {
        trace.notes.push(NOT_COUNTED.to_owned());
    }
    if !matches!(whom, Whom::Processes(_)) {
        let mut came: Vec<_> = trace.growth.by_process.iter().map(|program| program.pid).collect();
        came.retain(|pid| !pids.contains(pid));
        held.extend(opened(&came));
        pids = held.iter().map(Process::pid).collect();
    }
    let (told, note) = kept::at_the_end_of_watching(&held);
    told.add_to(&mut trace);
    trace.notes.extend(note);
    super::report(arguments, trace, story, &pids)?;
    Ok(ExitCode::SUCCESS)
}

/// Said of `--all`.
const NOT_COUNTED: &str = "every process was watched, but for brkhole; those that made none of the \
    calls that are watched aren't counted";

/// Those that are there.
fn opened(pids: &[i32]) -> Vec<Process> {
    pids.iter().take(MOST_LOOKED_AT).filter_map(|pid| Process::open(*pid).ok()).collect()
}

/// How to watch, as the user wants it.
pub(super) fn options(arguments: &TraceArguments, who: Option<&Who>) -> AttachOptions {
    let options = AttachOptions::new().via(match arguments.via {
        None | Some(ViaArgument::Auto) => Via::Auto,
        Some(ViaArgument::Bpf) => Via::Bpf,
        Some(ViaArgument::Tracepoints) => Via::Tracepoints,
        Some(ViaArgument::Ptrace) => Via::Ptrace,
    });
    match who {
        Some(who) => who.asked_of(options),
        None => options,
    }
}

/// The story, and the unwinder that has to know of new programs.
pub(super) struct Watched {
    pub(super) story: Story,
    pub(super) who: Option<Who>,
}

impl Sink for Watched {
    fn take(&mut self, event: &Event) {
        if let Some(who) = &self.who {
            who.forgets(event);
        }
        self.story.take(event);
    }
}

/// Shows on a terminal that something is going on; returns when the watching is to end.
fn wait(attach: &Attach<Watched>, arguments: &TraceArguments, pids: &[i32]) {
    /// Of what moves on the terminal.
    const TICK: Duration = Duration::from_millis(50);
    let bar = output::bar("{spinner} {elapsed} {msg}", 0);
    let they = if pids.len() == 1 { "process" } else { "processes" };
    let watched = if arguments.all { super::EVERYBODY.to_owned() } else { counted(pids) };
    let message = format!("watching {watched}; Ctrl-C ends the watching, not the {they}");
    if bar.is_hidden() {
        // A script can wait for this line before it sets going what is to be watched.
        eprintln!("brkhole: {message}");
    }
    bar.set_message(message);
    let since = Instant::now();
    loop {
        let rest = match arguments.duration {
            Some(duration) => duration.saturating_sub(since.elapsed()),
            None => TICK,
        };
        if rest.is_zero() {
            attach.stop();
            break;
        }
        if attach.ends_within(rest.min(TICK)) {
            break;
        }
        bar.tick();
    }
    bar.finish_and_clear();
}

pub(super) fn fill_in(trace: &mut Trace, watched: &Attached<Watched>, used: ViaUsed) {
    trace.exit = watched.ending;
    trace.processes = watched.processes;
    trace.lost_events = watched.lost_events;
    trace.notes = watched.notes.iter().map(ToString::to_string).collect();
    if watched.lost_events > 0 {
        trace.notes.push(format!(
            "{} records were lost, so all counts are lower bounds",
            watched.lost_events
        ));
    }
    let (via, stops) = match used {
        ViaUsed::Bpf => ("BPF programs", 0),
        ViaUsed::Tracepoints => ("tracepoints", 0),
        ViaUsed::Ptrace => ("ptrace at every system call", watched.cost.stops_or_records),
    };
    trace.observer = Some(Observer::here(
        via,
        stops,
        watched.cost.watcher_cpu_seconds,
        watched.cost.wall_seconds,
    ));
}
