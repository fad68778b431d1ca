//! `brkhole explain`: the story of a log that strace wrote.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use flate2::bufread::MultiGzDecoder;
use heap_growth::Story;
use heap_meter::report::chart;
use heap_meter::trace::{EventSource, Trace};
use indicatif::{ProgressBar, ProgressStyle};
use strace_log::{ReadLog, StraceLog};

use crate::cli::ExplainArguments;
use crate::{map, output, remedy};

/// How a compressed log begins.
///
/// # References
/// RFC 1952, 2.3.1
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// What is read at a time of a compressed log. Of a plain one only so much goes through this buffer:
/// the reader of logs asks for more at once, and gets it directly.
const BUFFER_BYTES: usize = 16 * 1024;

/// Reads the logs to their end and reports.
pub(crate) fn run(arguments: &ExplainArguments) -> anyhow::Result<ExitCode> {
    output::check_writable([
        arguments.chart.as_ref(),
        arguments.map.as_ref(),
        arguments.output.file.as_ref(),
    ])?;
    let bar = progress_bar();
    let mut logs = Vec::new();
    for path in in_order_of_birth(&arguments.logs) {
        logs.push((name(path), open(path, &bar)?));
    }
    let mut story = Story::default();
    if arguments.map.is_some() {
        story.growth.keep_layout();
    }
    let mut reader = StraceLog::new(story);
    match logs.len() {
        1 => {
            for (name, log) in logs {
                reader.read(&name, log)?;
            }
        }
        _ => reader.read_together(logs)?,
    }
    bar.finish_and_clear();
    report(arguments, &reader.finish())?;
    Ok(ExitCode::SUCCESS)
}

fn report(arguments: &ExplainArguments, finished: &ReadLog<Story>) -> anyhow::Result<()> {
    let story = &finished.sink;
    let mut trace = Trace::of(story, EventSource::StraceLog, None);
    trace.exit = finished.ending;
    trace.lost_events = finished.lost_events;
    trace
        .notes
        .extend(finished.notes.iter().map(ToString::to_string));
    trace.notes.extend(unread(finished));
    remedy::add_to(&mut trace, story);
    remedy::the_trick(&mut trace.findings, None);
    let title = arguments.logs.iter().map(|log| name(log));
    let title = title.collect::<Vec<_>>().join(" ");
    if let Some(path) = &arguments.map {
        let undrawn = map::of_run(path, &story.growth, &title)?;
        trace.notes.extend(undrawn);
    }
    if let Some(path) = &arguments.chart {
        let timeline = story.growth.timeline();
        match chart::growth_over_time(&story.growth, &title) {
            Some(svg) if !timeline.last().is_zero() => output::to_file(path, &svg)?,
            Some(_) => trace
                .notes
                .push("no chart was drawn: the log holds no times (strace -ttt)".to_owned()),
            None => trace
                .notes
                .push("no chart was drawn: memory never changed".to_owned()),
        }
    }
    output::write_trace(&trace, &arguments.output)
}

/// What could not be read, with examples.
fn unread(finished: &ReadLog<Story>) -> Option<String> {
    let unread = &finished.unread;
    let first: Vec<String> = unread
        .examples
        .iter()
        .map(|example| format!("{example}"))
        .collect();
    (unread.count > 0).then(|| {
        format!(
            "{} of {} lines could not be read: {}",
            unread.count,
            finished.lines,
            first.join("; ")
        )
    })
}

/// Logs of one run, which strace named for their threads: the first process, as a rule that with
/// the lowest number, comes first, while a shell puts `log.10` before `log.9`.
fn in_order_of_birth(logs: &[PathBuf]) -> Vec<&PathBuf> {
    let number = |log: &&PathBuf| log.extension()?.to_str()?.parse::<u32>().ok();
    let mut logs: Vec<&PathBuf> = logs.iter().collect();
    if logs.iter().all(|log| number(log).is_some()) {
        logs.sort_by_key(number);
    }
    logs
}

/// How a log is called in messages.
fn name(path: &Path) -> String {
    if path == Path::new("-") {
        "standard input".to_owned()
    } else {
        path.display().to_string()
    }
}

/// A bar on stderr; indicatif hides it when that is no terminal.
fn progress_bar() -> ProgressBar {
    let style = ProgressStyle::with_template("{bar:30} {bytes}/{total_bytes} {elapsed}")
        .unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(0).with_style(style)
}

/// Opens a log, compressed or not; the bar follows how far it is read.
fn open(path: &Path, bar: &ProgressBar) -> anyhow::Result<Box<dyn Read>> {
    let failed = || format!("can't read {}", name(path));
    let log: Box<dyn Read> = if path == Path::new("-") {
        Box::new(io::stdin())
    } else {
        let file = File::open(path).with_context(failed)?;
        let metadata = file.metadata().with_context(failed)?;
        if metadata.is_dir() {
            anyhow::bail!("{} is a directory: name the log in it", name(path));
        }
        bar.inc_length(metadata.len());
        Box::new(bar.wrap_read(file))
    };
    let mut log = BufReader::with_capacity(BUFFER_BYTES, log);
    if log.fill_buf().with_context(failed)?.starts_with(&GZIP) {
        return Ok(Box::new(MultiGzDecoder::new(log)));
    }
    Ok(Box::new(log))
}
