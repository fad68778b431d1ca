//! A watched run as tables that a person understands at once.

use super::malloc_table::malloc_table;
use super::text::{Column, counted, rows_table, sizes, times_bytes, wrapped};
use crate::trace::{ByStack, EventSource, KeptOpen, Trace};
use heap_growth::GrowthKind;
use human_text::{Bytes, Seconds, printable, thousands};
use memory_event::Ending;
use nix::sys::signal::Signal;

/// So many files are shown; JSON and CSV have all.
const FILES: usize = 10;

/// So many stacks are shown, with so many of their innermost and outermost frames.
const STACKS: usize = 5;
const INNERMOST: usize = 10;
const OUTERMOST: usize = 6;

/// The run: what it was, its calls, what made memory grow, what follows, what was not done.
pub fn trace_table(trace: &Trace) -> String {
    let mut text = heading(trace);
    for part in [calls(trace), kinds(trace), files(trace)] {
        if !part.is_empty() {
            text.push('\n');
            text.push_str(&part);
        }
    }
    let lines = [fallback(trace), observer(trace)].into_iter().flatten();
    for (number, line) in lines.enumerate() {
        if number == 0 {
            text.push('\n');
        }
        text.push_str(&wrapped(&line));
    }
    for stack in trace.growth.by_stack.iter().take(STACKS) {
        text.push('\n');
        text.push_str(&of_stack(stack));
    }
    if let Some(reports) = trace.malloc.as_ref().filter(|reports| !reports.is_empty()) {
        text.push('\n');
        text.push_str(&malloc_table(reports));
    }
    let findings = trace.findings.iter().map(|finding| format!("• {finding}"));
    let notes = trace.notes.iter().map(|note| format!("note: {note}"));
    for line in findings.chain(notes) {
        text.push('\n');
        text.push_str(&wrapped(&printable(&line)));
    }
    text
}

fn heading(trace: &Trace) -> String {
    let what = match (&trace.command, trace.source) {
        (Some(command), _) => command.join(" "),
        (None, EventSource::StraceLog) => "an strace log".to_owned(),
        (None, _) => "a running process".to_owned(),
    };
    let mut facts = vec![counted(trace.processes, "process", "processes")];
    match trace.exit {
        Some(Ending::Code(code)) => facts.push(format!("exit status {code}")),
        Some(Ending::Signal { signal, .. }) => facts.push(match Signal::try_from(signal) {
            Ok(known) => format!("killed by {}", known.as_str()),
            Err(_) => format!("killed by signal {signal}"),
        }),
        None => {}
    }
    if let Some(observer) = &trace.observer {
        facts.push(format!("watched for {}", Seconds(observer.wall_seconds)));
    }
    if trace.lost_events > 0 {
        facts.push(counted(trace.lost_events, "event lost", "events lost"));
    }
    wrapped(&format!("{}: {}", printable(&what), facts.join(", ")))
}

fn calls(trace: &Trace) -> String {
    let calls = trace.syscalls.by_name();
    if calls.is_empty() {
        return "none of the watched system calls was made\n".to_owned();
    }
    let columns = [
        Column::Left("system call"),
        Column::Right("calls"),
        Column::Right("failed"),
    ];
    let failed = |failed| match failed {
        0 => String::new(),
        failed => thousands(failed),
    };
    let rows: Vec<_> = calls
        .into_iter()
        .map(|(name, counts)| {
            [
                name.to_owned(),
                thousands(counts.calls),
                failed(counts.failed),
            ]
        })
        .collect();
    rows_table(&columns, &rows)
}

fn kinds(trace: &Trace) -> String {
    let growth = &trace.growth;
    let (Some(bytes), Some(peak_bytes)) = (growth.bytes, growth.peak_bytes) else {
        return "growth: not known\n".to_owned();
    };
    let columns = [
        Column::Left("growth"),
        Column::Right("at the end"),
        Column::Right("at the peak"),
    ];
    let row = |title: &str, end, peak| {
        [
            title.to_owned(),
            or_unknown(end, signed),
            or_unknown(peak, signed),
        ]
    };
    let mut rows = Vec::new();
    for kind in GrowthKind::ALL {
        let (end, peak) = (growth.by_kind.get(kind), growth.peak_by_kind.get(kind));
        if end.is_some_and(|end| end != 0) || peak.is_some_and(|peak| peak != 0) {
            rows.push(row(kind.title(), end, peak));
        }
    }
    rows.push(row("in all", Some(bytes), Some(peak_bytes)));
    let mut text = rows_table(&columns, &rows);
    let told = |bytes| or_unknown(bytes, |bytes| Bytes(bytes).to_string());
    text.push_str(&wrapped(&format!(
        "asked for in all: {}; given back before the end: {}",
        told(growth.asked_bytes),
        told(growth.returned_bytes),
    )));
    text
}

fn or_unknown<T>(figure: Option<T>, told: impl Fn(T) -> String) -> String {
    figure.map_or_else(|| "not known".to_owned(), told)
}

fn signed(bytes: i64) -> String {
    let sign = if bytes < 0 { "−" } else { "" };
    format!("{sign}{}", Bytes(bytes.unsigned_abs()))
}

fn files(trace: &Trace) -> String {
    let growth = &trace.growth;
    let kept_open = kept_open(trace).unwrap_or_default();
    let telling = growth
        .by_file
        .iter()
        .filter(|file| file.asked_bytes.is_none_or(|bytes| bytes > 0));
    let shown: Vec<_> = telling.take(FILES).collect();
    if shown.is_empty() {
        return kept_open;
    }
    let columns = [
        Column::Right("opens"),
        Column::Right("growth"),
        Column::Right("each time"),
        Column::Left("while this file was being read"),
    ];
    let told = |bytes| or_unknown(bytes, |bytes| Bytes(bytes).to_string());
    let mut rows: Vec<_> = shown
        .iter()
        .map(|file| {
            [
                thousands(file.opens),
                told(file.bytes),
                told(file.median_bytes),
                file.path.clone(),
            ]
        })
        .collect();
    rows.extend(growth.without_file_bytes.map(|bytes| {
        let none = String::new;
        [none(), signed(bytes), none(), "(no file)".to_owned()]
    }));
    let mut text = rows_table(&columns, &rows);
    let others = growth.by_file.len() - shown.len();
    if others > 0 {
        let others = counted(others as u64, "other file", "other files");
        let which = match growth.without_file_bytes {
            Some(_) => "with less or none",
            None => "opened less often",
        };
        text.push_str(&format!("and {others}, {which}\n"));
    }
    text.push_str(&kept_open);
    text
}

/// Growth beside which a file was merely open, where it is worth a word.
fn kept_open(trace: &Trace) -> Option<String> {
    const WORTH_TELLING_BYTES: i64 = 1 << 20;
    let kept_open = trace.growth.most_kept_open.as_ref();
    let KeptOpen { path, bytes } = kept_open.filter(|kept| kept.bytes >= WORTH_TELLING_BYTES)?;
    Some(wrapped(&format!(
        "{} came while {} was kept open, and isn't counted as its: whether it was read then isn't \
         known",
        signed(*bytes),
        printable(path),
    )))
}

fn fallback(trace: &Trace) -> Option<String> {
    let fallback = trace.fallback.as_ref().filter(|all| all.count() > 0)?;
    Some(format!(
        "fallback mmaps in place of a refused brk: {}, {} ({})",
        thousands(fallback.count()),
        Bytes(fallback.bytes()),
        sizes(fallback),
    ))
}

fn observer(trace: &Trace) -> Option<String> {
    let observer = trace.observer.as_ref()?;
    let stops = match observer.stops {
        0 => "nothing was stopped".to_owned(),
        stops => counted(stops, "stop", "stops"),
    };
    let memory = observer.peak_rss_bytes.map_or_else(String::new, |bytes| {
        format!(", {} of memory at its peak", Bytes(bytes))
    });
    Some(format!(
        "observer ({}): {stops}, {} of processor time{memory}",
        observer.via,
        Seconds(observer.cpu_seconds),
    ))
}

fn of_stack(stack: &ByStack) -> String {
    let mut text = format!(
        "{} in {}",
        Bytes(stack.bytes),
        counted(stack.count, "request", "requests")
    );
    let asked = stack.requested.iter();
    let sizes: Vec<_> = asked.map(|(bytes, count)| (*count, *bytes)).collect();
    if !sizes.is_empty() {
        text.push_str(&format!("; asked of malloc: {}", times_bytes(&sizes, 4)));
    }
    text.push('\n');
    let left_out = stack.frames.len().saturating_sub(INNERMOST + OUTERMOST);
    for (number, frame) in stack.frames.iter().enumerate() {
        if left_out == 0 || !(INNERMOST..INNERMOST + left_out).contains(&number) {
            text.push_str(&format!("    {}\n", printable(frame)));
        } else if number == INNERMOST {
            text.push_str(&format!(
                "    … {}\n",
                counted(left_out as u64, "frame", "frames")
            ));
        }
    }
    if stack.truncated {
        text.push_str("    …\n");
    }
    text
}
