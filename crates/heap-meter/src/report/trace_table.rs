//! A watched run as tables that a person understands at once.

use super::malloc_table::malloc_table;
use super::text::{Column, counted, finding_line, paragraph, rows_table, sizes, times_bytes};
use crate::trace::{ByStack, EventSource, KeptOpen, Trace, callers, is_programs};
use heap_growth::GrowthKind;
use human_text::{Bytes, Seconds, printable, thousands};
use memory_event::Ending;
use nix::sys::signal::Signal;

/// So many files are shown; JSON and CSV have all.
const FILES: usize = 10;

/// So many functions are shown, none with less than this share of the greatest.
const FUNCTIONS: usize = 25;
const LEAST_SHARE: u64 = 100;

/// So many stacks are shown, with so many frames from who called the allocator on, and from the
/// outermost one back.
const STACKS: usize = 5;
const INNERMOST: usize = 10;
const OUTERMOST: usize = 6;

/// The answer in a line, what ran, what follows, and then what it stands on: what made memory grow,
/// who asked, the calls, what malloc kept, what watching cost and what was not done.
pub fn trace_table(trace: &Trace) -> String {
    let told = |line: String| paragraph(&printable(&line));
    let findings = trace.findings.iter().map(finding_line).map(told);
    let notes = trace.notes.iter().map(|note| told(format!("note: {note}")));
    let stacks = trace.growth.by_stack.iter().take(STACKS).map(of_stack);
    let malloc = trace.malloc.as_deref().map(malloc_table);
    std::iter::once(summary(trace) + &heading(trace))
        .chain(findings)
        .chain([kinds(trace), files(trace), functions(trace)])
        .chain(stacks)
        .chain([fallback(trace), calls(trace)])
        .chain(malloc)
        .chain([observer(trace)])
        .chain(notes)
        .filter(|part| !part.is_empty())
        .collect::<Vec<_>>()
        .join("\n")
}

/// What happened, and to whom, in one line.
fn summary(trace: &Trace) -> String {
    let growth = &trace.growth;
    let Some(bytes) = growth.peak_bytes else {
        return String::new();
    };
    let program = trace.command.as_ref().and_then(|words| words.first());
    let program = program.map_or("the process", |path| file_name(path));
    let grown = u64::try_from(bytes).unwrap_or(0);
    if grown == 0 {
        return paragraph(&printable(&format!("{program} did not grow")));
    }
    let mut text = format!("{program} grew by {}", Bytes(grown));
    let most = growth.by_file.iter().max_by_key(|file| file.bytes);
    if let Some((file, bytes)) = most.and_then(|file| Some((file, file.bytes?)))
        && bytes >= grown / 4
    {
        let times = match file.opens {
            1 => "once".to_owned(),
            opens => format!("{} times", thousands(opens)),
        };
        text.push_str(&format!(
            ": {} while reading {} {times}",
            Bytes(bytes),
            file_name(&file.path)
        ));
    }
    if let Some(fallback) = trace.fallback.as_ref().filter(|all| all.count() > 0) {
        text.push_str(&format!(
            "; its break was blocked, and {} came by fallback mmaps",
            Bytes(fallback.bytes())
        ));
    }
    paragraph(&printable(&text))
}

fn file_name(path: &str) -> &str {
    path.rsplit('/')
        .find(|part| !part.is_empty())
        .unwrap_or(path)
}

/// Whose code it was.
fn functions(trace: &Trace) -> String {
    let all = &trace.growth.by_function;
    let least = all
        .first()
        .map_or(0, |first| first.inclusive_bytes / LEAST_SHARE);
    let shown: Vec<_> = all
        .iter()
        .take_while(|function| function.inclusive_bytes >= least)
        .take(FUNCTIONS)
        .map(|function| {
            let bytes = |bytes: u64| match bytes {
                0 => String::new(),
                bytes => Bytes(bytes).to_string(),
            };
            [
                bytes(function.inclusive_bytes),
                bytes(function.exclusive_bytes),
                function.function.clone(),
            ]
        })
        .collect();
    if shown.is_empty() {
        return String::new();
    }
    let columns = [
        Column::Right("inclusive"),
        Column::Right("exclusive"),
        Column::Left("asked for in this function, and in what it called"),
    ];
    let mut text = rows_table(&columns, &shown);
    let others = all.len() - shown.len();
    if others > 0 {
        text.push_str(&format!(
            "and {} with less\n",
            counted(others as u64, "function", "functions")
        ));
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
    paragraph(&format!("{}: {}", printable(&what), facts.join(", ")))
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
    text.push_str(&paragraph(&format!(
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
    Some(paragraph(&format!(
        "{} came while {} was kept open, and isn't counted as its: whether it was read then isn't \
         known",
        signed(*bytes),
        printable(path),
    )))
}

fn fallback(trace: &Trace) -> String {
    let Some(fallback) = trace.fallback.as_ref().filter(|all| all.count() > 0) else {
        return String::new();
    };
    paragraph(&format!(
        "fallback mmaps in place of a refused brk: {}, {} ({})",
        thousands(fallback.count()),
        Bytes(fallback.bytes()),
        sizes(fallback),
    ))
}

fn observer(trace: &Trace) -> String {
    let Some(observer) = &trace.observer else {
        return String::new();
    };
    let stops = match observer.stops {
        0 => "nothing was stopped".to_owned(),
        stops => counted(stops, "stop", "stops"),
    };
    let memory = observer.peak_rss_bytes.map_or_else(String::new, |bytes| {
        format!(", {} of memory at its peak", Bytes(bytes))
    });
    paragraph(&format!(
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
    let frames = callers(&stack.frames);
    let asking = stack.frames.len() - frames.len();
    if asking > 0 {
        let asked = counted(asking as u64, "frame", "frames");
        text.push_str(&format!("      (the allocator, {asked})\n"));
    }
    let programs = frames.iter().position(|frame| is_programs(frame));
    let left_out = frames.len().saturating_sub(INNERMOST + OUTERMOST);
    for (number, frame) in frames.iter().enumerate() {
        // The program's own code, where its author would look first, is always shown.
        let is_programs = programs == Some(number);
        if left_out == 0 || is_programs || !(INNERMOST..INNERMOST + left_out).contains(&number) {
            let mark = if is_programs { "  → " } else { "    " };
            text.push_str(&format!("{mark}{}\n", printable(frame)));
        } else if number == INNERMOST {
            let others = counted(left_out as u64, "frame", "frames");
            text.push_str(&format!("    … {others}\n"));
        }
    }
    if stack.truncated {
        text.push_str("    …\n");
    }
    text
}
