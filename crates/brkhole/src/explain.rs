//! `brkhole explain`: the story of a log that strace wrote.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use flate2::bufread::MultiGzDecoder;
use heap_growth::Story;
use heap_meter::trace::{EventSource, Trace};
use indicatif::ProgressBar;
use strace_log::{ReadLog, StraceLog};

use crate::cli::ExplainArguments;
use crate::{output, remedy};

/// How a compressed log begins.
///
/// # References
/// RFC 1952, 2.3.1
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// What is read at a time of a compressed log. Of a plain one only so much goes through this buffer:
/// the reader of logs asks for more at once, and gets it directly.
const BUFFER_BYTES: usize = 16 * 1024;

pub(crate) fn run(arguments: &ExplainArguments) -> anyhow::Result<ExitCode> {
    output::check_writable(
        [arguments.chart.as_ref(), arguments.map.as_ref(), arguments.html.as_ref()],
        arguments.output.file.as_ref(),
        &arguments.logs,
    )?;
    let bar = output::bar("{bar:30} {bytes}/{total_bytes} {elapsed}", 0);
    let mut logs = Vec::new();
    for path in in_order_of_birth(&arguments.logs) {
        logs.push((name(path), open(path, &bar)?));
    }
    let mut story = Story::default();
    if arguments.map.is_some() {
        story.growth.keep_layout();
    }
    let mut reader = StraceLog::new(story);
    match logs.pop() {
        Some((name, log)) if logs.is_empty() => reader.read(&name, log)?,
        last => {
            logs.extend(last);
            reader.read_together(logs)?;
        }
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
    let notes = finished.notes.iter().map(ToString::to_string);
    trace.notes.extend(notes.chain(unread(finished)));
    remedy::add_to(&mut trace, story);
    remedy::the_trick(&mut trace.findings, None);
    let names: Vec<String> = arguments.logs.iter().map(|log| name(log)).collect();
    let title = names.join(" ");
    let has_clock = !story.growth.timeline().last().is_zero();
    trace.notes.extend(output::draw_run(
        arguments.chart.as_ref(),
        arguments.map.as_ref(),
        &story.growth,
        &title,
        has_clock,
    )?);
    if let Some(path) = &arguments.html {
        let page = output::page_of_run(&trace, &story.growth, &title, has_clock);
        output::to_file(path, &page.html())?;
    }
    output::write_trace(&trace, &arguments.output)
}

/// What could not be read, with examples.
fn unread(finished: &ReadLog<Story>) -> Option<String> {
    let unread = &finished.unread;
    let first: Vec<String> = unread.examples.iter().map(ToString::to_string).collect();
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
    if path == Path::new("-") { "standard input".to_owned() } else { path.display().to_string() }
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
