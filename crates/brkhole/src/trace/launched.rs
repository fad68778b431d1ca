//! A command under the launcher.

use std::process::ExitCode;

use anyhow::Context;
use heap_meter::event::{Event, Sink, What};
use heap_meter::source::launch::{Finished, Options};
use heap_meter::story::Story;
use heap_meter::target::Target;
use heap_meter::trace::{Observer, Source, Trace};

use crate::cli::TraceArguments;
use crate::cost::own_peak_rss_bytes;
use crate::hole::Holes;
use crate::signals;
use crate::who::Who;

/// Runs the command to its end; gives its own status.
pub(super) fn run(arguments: &TraceArguments) -> anyhow::Result<ExitCode> {
    let (program, words) = arguments
        .command
        .split_first()
        .context("no command was given")?;
    let target = Target::new(program).args(words);

    let holes = arguments.hole.then(Holes::default);
    let wants_stacks = arguments.stacks || arguments.flamegraph.is_some();
    let who = (wants_stacks || arguments.folded.is_some()).then(Who::new);
    let mut options = Options::new();
    if let Some(holes) = &holes {
        options = holes.punched_by(options);
    }
    if let Some(who) = &who {
        options = who.asked_by(options);
    }
    let sink = Told {
        story: Story::default(),
        who: who.clone(),
    };
    let launch = options.start(&target, sink)?;
    let pid = launch.pid();
    signals::on_end_wanted(move |signal| {
        if !signals::comes_from_the_keyboard(signal) {
            signals::pass_on(signal, pid);
        }
    })?;
    let finished = launch.wait()?;

    let mut trace = Trace::of(
        &finished.sink.story,
        Source::Launch,
        Some(&arguments.command),
    );
    fill_in(&mut trace, &finished);
    trace.notes.extend(holes.iter().flat_map(Holes::notes));
    trace.notes.extend(who.iter().flat_map(Who::notes));
    super::report(arguments, trace, &finished.sink.story)?;
    Ok(ExitCode::from(finished.ending.shell_status() as u8))
}

fn fill_in(trace: &mut Trace, finished: &Finished<Told>) {
    trace.exit = Some(finished.ending);
    trace.lost_events = finished.lost_events;
    trace.notes = finished.notes.iter().map(ToString::to_string).collect();
    trace.observer = Some(Observer {
        via: "ptrace with a seccomp filter".to_owned(),
        stops: finished.cost.stops,
        cpu_seconds: finished.cost.tracer_cpu_seconds,
        wall_seconds: finished.cost.wall_seconds,
        peak_rss_bytes: own_peak_rss_bytes(),
    });
}

/// The story, and the unwinder that has to know of new programs.
struct Told {
    story: Story,
    who: Option<Who>,
}

impl Sink for Told {
    fn take(&mut self, event: &Event) {
        if let (What::Exec { .. }, Some(who)) = (&event.what, &self.who) {
            who.forget(event.pid);
        }
        self.story.take(event);
    }
}
