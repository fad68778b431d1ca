//! A command under the launcher.

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use anyhow::Context;
use heap_growth::Story;
use heap_meter::trace::{EventSource, Observer, Trace};
use memory_event::{Event, Sink, What};
use memory_trace::{Launch, LaunchOptions, Launched, Target};

use super::kept::ExitReports;
use super::oom_kills::OomKills;
use crate::cli::TraceArguments;
use crate::hooks::{Holes, Who};
use crate::signals;

/// Runs the command to its end; gives its own status. `instead` says of which way this is in place.
pub(super) fn run(
    arguments: &TraceArguments,
    ends: &signals::Ends,
    instead: Option<String>,
) -> anyhow::Result<ExitCode> {
    let (program, words) = arguments.command.split_first().context("no command was given")?;
    let target = Target::new(program).args(words);

    let holes = arguments.hole.then(Holes::default);
    let who = arguments.wants_stacks().then(Who::new);
    let mut options = LaunchOptions::new();
    if let Some(holes) = &holes {
        options = holes.punched_by(options);
    }
    if let Some(who) = &who {
        options = who.asked_by(options);
    }
    let kept = ExitReports::default();
    let (at_exit, unwinder) = (kept.clone(), who.clone());
    options = options.at_exit(move |stopped| {
        at_exit.at_exit(stopped);
        if let Some(who) = &unwinder {
            who.forget(stopped.pid);
        }
    });
    let (ending, command_ended) = channel();
    let has_ended = Arc::new(AtomicBool::new(false));
    let sink = HookReport {
        story: super::story(arguments),
        holes: holes.clone(),
        who: who.clone(),
        kept: kept.clone(),
        first: None,
        ending,
        has_ended: Arc::clone(&has_ended),
    };
    let killed_before = OomKills::so_far();
    let launch = options.start(&target, sink)?;
    let (pid, killer) = (launch.pid(), launch.killer());
    ends.each(move |signal| {
        if has_ended.load(Ordering::Acquire) {
            // What it left behind doesn't hear the terminal's keys.
            killer.kill();
        } else if !signals::comes_from_the_keyboard(signal) {
            signals::pass_on(signal, pid);
        }
    });
    tell_of_what_is_left(&launch, &command_ended);
    let finished = launch.wait()?;

    let mut trace = Trace::of(&finished.sink.story, EventSource::Launch, Some(&arguments.command));
    fill_in(&mut trace, &finished);
    trace.notes.extend(instead);
    trace.findings.splice(0..0, killed_before.finding(&finished.sink.story));
    trace.notes.extend(holes.iter().flat_map(Holes::notes));
    trace.notes.extend(who.iter().flat_map(Who::notes));
    trace.notes.extend(kept.notes());
    kept.told().add_to(&mut trace);
    super::report(arguments, trace, &finished.sink.story, &[])?;
    Ok(ExitCode::from(finished.ending.shell_status() as u8))
}

/// Says so when the command has ended and processes that it started have not.
fn tell_of_what_is_left(launch: &Launch<HookReport>, command_ended: &Receiver<()>) {
    const GRACE: Duration = Duration::from_secs(1);
    // Without a word the tracer has failed, and has ended.
    let has_ended = command_ended.recv().is_ok();
    if has_ended && !launch.ends_within(GRACE) {
        eprintln!(
            "brkhole: the command has ended, processes that it started have not: still watching; \
             Ctrl-C ends them"
        );
    }
}

fn fill_in(trace: &mut Trace, finished: &Launched<HookReport>) {
    trace.exit = Some(finished.ending);
    trace.lost_events = finished.lost_events;
    trace.notes = finished.notes.iter().map(ToString::to_string).collect();
    trace.observer = Some(Observer::launched(&finished.cost));
}

/// The story, and the unwinder that has to know of new programs.
struct HookReport {
    story: Story,
    holes: Option<Holes>,
    who: Option<Who>,
    kept: ExitReports,
    /// The launched process, once it has begun.
    first: Option<i32>,
    /// Told of its end.
    ending: Sender<()>,
    has_ended: Arc<AtomicBool>,
}

impl Sink for HookReport {
    fn take(&mut self, event: &Event) {
        match (&event.what, &self.who) {
            (What::Started, _) => {
                self.first = Some(event.pid);
                self.kept.launched(event.pid);
            }
            (What::Exec { .. }, Some(who)) => who.forget(event.pid),
            (What::Exited(_), _) if self.first == Some(event.tid) => {
                self.has_ended.store(true, Ordering::Release);
                // Whoever listens no more has given up the run.
                let _ = self.ending.send(());
            }
            _ => {}
        }
        if let Some(holes) = &self.holes {
            holes.tell(&mut self.story.growth);
        }
        self.story.take(event);
    }
}
