//! `brkhole trace`: a command that is launched, or a process that runs already.

mod attached;
mod kept;
mod launched;
mod oom_kills;
mod untraced;

use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context;
use heap_growth::{Growth, StackGrowth, Story};
use heap_meter::environment::Environment;
use heap_meter::report::{Page, flame};
use heap_meter::trace::Trace;
use human_text::Bytes;
use memory_trace::{AttachNote, Whom};

use crate::cli::{TraceArguments, ViaArgument};
use crate::signals::Ends;
use crate::{cli, output, processes, remedy};

/// What `--all` watches.
const EVERYBODY: &str = "every process";

/// Runs it; gives the status to end with.
pub(crate) fn run(arguments: &TraceArguments) -> anyhow::Result<ExitCode> {
    output::check_writable(
        [
            arguments.chart.as_ref(),
            arguments.map.as_ref(),
            arguments.flamegraph.as_ref(),
            arguments.folded.as_ref(),
            arguments.html.as_ref(),
        ],
        arguments.output.file.as_ref(),
        &[],
    )?;
    if !arguments.command.is_empty() {
        return match arguments.via {
            None | Some(ViaArgument::Ptrace) => launched::run(arguments, &Ends::listen()?, None),
            // Nothing else can make one.
            Some(ViaArgument::Auto) if arguments.hole => {
                launched::run(arguments, &Ends::listen()?, None)
            }
            Some(ViaArgument::Auto | ViaArgument::Bpf) => untraced::run(arguments),
            Some(ViaArgument::Tracepoints) => anyhow::bail!(
                "a command is watched by ptrace, or by BPF programs: leave --via tracepoints out, or \
                 take --via bpf"
            ),
        };
    }
    let (whom, note) = whom(arguments)?;
    attached::run(arguments, whom, note)
}

/// Whom the user wants to see, of those that run; and who isn't among them.
fn whom(arguments: &TraceArguments) -> anyhow::Result<(Whom, Option<String>)> {
    if arguments.all {
        return Ok((Whom::Everybody, None));
    }
    let pids = cli::chosen(&arguments.pids, &arguments.wanted)?;
    Ok(match arguments.wanted.cgroup(&pids) {
        None => (Whom::Processes(pids), None),
        Some(Ok(directory)) => (Whom::Cgroup { directory, pids }, None),
        Some(Err(why)) => {
            let note = AttachNote::WithoutComers { why }.to_string();
            (Whom::Processes(pids), Some(note))
        }
    })
}

/// A story of what the user wants to see.
fn story(arguments: &TraceArguments) -> Story {
    let mut story = Story::default();
    if arguments.map.is_some() {
        story.growth.keep_layout();
    }
    story
}

/// Writes the report and the pictures that were asked for; `pids` are those of processes that ran
/// already, or of all that grew.
fn report(
    arguments: &TraceArguments,
    mut trace: Trace,
    story: &Story,
    pids: &[i32],
) -> anyhow::Result<()> {
    remedy::add_to(&mut trace, story);
    if arguments.hole {
        trace.notes.extend(remedy::own_hole(&mut trace.findings));
    }
    let unknown = story.growth.without_stack_bytes();
    if arguments.wants_stacks() && unknown > 0 {
        trace.notes.push(format!("who asked for {} is unknown: no stack has it", Bytes(unknown)));
    }
    let program = trace.command.as_ref().and_then(|words| words.first());
    remedy::the_trick(&mut trace.findings, program.map(String::as_str));
    trace.notes.extend(remedy::next_step(&trace, pids, arguments.wants_stacks()));
    let title = match pids {
        _ if arguments.all => EVERYBODY.to_owned(),
        [] => output::command_line(&arguments.command),
        pids => processes::counted(pids),
    };
    pictures(arguments, &mut trace, story, &title)?;
    if let Some(path) = &arguments.html {
        let page = page(&trace, &story.growth, &title)?;
        output::to_file(path, &page.html())?;
    }
    output::write_trace(&trace, &arguments.output)
}

fn pictures(
    arguments: &TraceArguments,
    trace: &mut Trace,
    story: &Story,
    title: &str,
) -> anyhow::Result<()> {
    let growth = &story.growth;
    let (chart, map) = (arguments.chart.as_ref(), arguments.map.as_ref());
    let undrawn = output::draw_run(chart, map, growth, title, true)?;
    trace.notes.extend(undrawn);
    let stacks = growth.by_stack();
    let frames = || frames(&stacks);
    if let Some(path) = &arguments.folded {
        output::to_file(path, &flame::folded(frames()))?;
    }
    if let Some(path) = &arguments.flamegraph {
        match flame::flame_graph(frames(), &format!("heap growth in bytes: {title}")) {
            Ok(svg) => output::to_file(path, &svg)?,
            Err(flame::FlameError::Empty) => {
                trace.notes.push("no flame graph was drawn: no stack asked for memory".to_owned())
            }
            Err(error) => return Err(error).context("can't draw the flame graph"),
        }
    }
    Ok(())
}

/// The most that a flame graph may add to a page.
const FLAME_BYTES: usize = 512 << 10;

fn page(trace: &Trace, growth: &Growth, title: &str) -> anyhow::Result<Page<'static>> {
    let mut page = output::page_of_run(trace, growth, title, true);
    page.environment = Some(Environment::here());
    let stacks = growth.by_stack();
    match flame::flame_figure(frames(&stacks), "heap growth in bytes", FLAME_BYTES) {
        Ok(figure) => page.figures.push(figure),
        Err(flame::FlameError::Empty) => {}
        Err(error) => return Err(error).context("can't draw the flame graph"),
    }
    Ok(page)
}

fn frames<'a>(stacks: &'a [&'a StackGrowth]) -> impl Iterator<Item = (&'a [Arc<str>], u64)> {
    stacks.iter().map(|stack| (&*stack.frames, stack.bytes))
}
