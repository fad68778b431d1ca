//! A watched run as tables that a person understands at once.

use super::malloc_table::malloc_table;
use super::part::{Part, Sections};
use super::text::{Column, sizes, times_bytes};
use crate::trace::{EventSource, KeptOpen, Trace, callers, is_programs};
use heap_growth::{GrowthKind, StackGrowth};
use human_text::{Bytes, Seconds, counted, printable, thousands};
use memory_event::Ending;
use nix::sys::signal::Signal;

/// How much is shown of what there may be much of; JSON and CSV have all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Extent {
    /// So many processes are shown.
    pub processes: usize,
    /// So many files are shown.
    pub files: usize,
    /// So many functions are shown, none with less than a hundredth of the greatest.
    pub functions: usize,
    /// So many stacks are shown.
    pub stacks: usize,
}

impl Extent {
    /// What is read from above to below.
    pub const TEXT: Self = Self { processes: 10, files: 10, functions: 25, stacks: 5 };
    /// What can be sorted, and searched.
    pub const PAGE: Self = Self { processes: 200, files: 200, functions: 50, stacks: 20 };
}

/// No function with less than this share of the greatest is shown.
const LEAST_SHARE: u64 = 100;

/// So many frames of a stack are shown from who called the allocator on, and from the outermost one
/// back.
const INNERMOST: usize = 10;
const OUTERMOST: usize = 6;

/// The answer in a line, what ran, what follows, and then what it stands on: what made memory grow,
/// who asked, the calls, what malloc kept, what watching cost and what was not done.
pub fn trace_table(trace: &Trace, extent: Extent) -> Sections {
    let findings = trace.findings.iter().cloned().map(Part::Finding);
    let notes = trace.notes.iter().cloned().map(Part::Note);
    let stacks = trace.growth.by_stack.iter().take(extent.stacks);
    let answer = summary(trace).map(Part::Heading);
    let mut sections = vec![answer.into_iter().chain([heading(trace)]).collect()];
    sections.extend(findings.map(|finding| vec![finding]));
    sections.extend([kinds(trace), processes(trace, extent)]);
    sections.extend([files(trace, extent), functions(trace, extent)]);
    sections.extend(stacks.map(of_stack));
    sections.extend([fallback(trace).into_iter().collect(), vec![calls(trace)]]);
    sections.extend(trace.malloc.as_deref().map(malloc_table));
    sections.push(observer(trace).into_iter().collect());
    sections.extend(notes.map(|note| vec![note]));
    Sections(sections)
}

/// What happened, and to whom, in one line.
fn summary(trace: &Trace) -> Option<String> {
    let growth = &trace.growth;
    let bytes = growth.peak_bytes?;
    let program = trace.command.as_ref().and_then(|words| words.first());
    let several = trace.source == EventSource::Attach && trace.processes > 1;
    let nameless = if several { "the processes" } else { "the process" };
    let program = program.map_or(nameless, |path| file_name(path));
    let grown = u64::try_from(bytes).unwrap_or(0);
    let mut text = match grown {
        0 => format!("{program} did not grow"),
        grown => format!("{program} grew by {}", Bytes(grown)),
    };
    let kept = growth.bytes.and_then(|bytes| u64::try_from(bytes.max(0)).ok());
    if let Some(kept) = kept.filter(|kept| kept < &(grown / 2)) {
        text.push_str(&format!(" and kept {}", Bytes(kept)));
    }
    // Who starts many programs loads libraries often.
    let read = growth.by_file.iter().filter(|file| !file_name(&file.path).contains(".so"));
    let most = read.max_by_key(|file| file.bytes);
    if let Some((file, bytes)) = most.and_then(|file| Some((file, file.bytes?)))
        && bytes >= WORTH_TELLING_BYTES
        // Of programs one after the other it may be more than all had at one moment.
        && (grown / 4..=grown).contains(&bytes)
    {
        let times = match file.opens {
            1 => "once".to_owned(),
            opens => format!("{} times", thousands(opens)),
        };
        let name = file_name(&file.path);
        text.push_str(&format!(": {} while reading {name} {times}", Bytes(bytes)));
    }
    if let Some(fallback) = trace.fallback.as_ref().filter(|all| all.count() > 0) {
        text.push_str(&format!(
            "; brk was refused, and {} came by fallback mmaps",
            Bytes(fallback.bytes())
        ));
    }
    let mut refused = trace.findings.iter().filter(|finding| finding.kind == "refused-memory");
    if let Some(calls) = refused.find_map(|finding| finding.evidence.get("calls")?.as_object()) {
        let times = calls.values().filter_map(serde_json::Value::as_u64).sum();
        text.push_str(&format!("; memory was refused {}", counted(times, "time", "times")));
    }
    Some(text)
}

/// What is less than that in a file's reading is no answer.
const WORTH_TELLING_BYTES: u64 = 1 << 20;

fn file_name(path: &str) -> &str {
    path.rsplit('/').find(|part| !part.is_empty()).unwrap_or(path)
}

/// Whose code it was.
fn functions(trace: &Trace, extent: Extent) -> Vec<Part> {
    let all = &trace.growth.by_function;
    let least = all.first().map_or(0, |first| first.inclusive_bytes / LEAST_SHARE);
    let shown: Vec<_> = all
        .iter()
        .take_while(|function| function.inclusive_bytes >= least)
        .take(extent.functions)
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
        return Vec::new();
    }
    let columns = [
        Column::Right("inclusive"),
        Column::Right("exclusive"),
        Column::Left("asked for in this function, and in what it called"),
    ];
    let others = all.len() - shown.len();
    let mut parts = vec![Part::table(&columns, shown)];
    if others > 0 {
        let others = counted(others as u64, "function", "functions");
        parts.push(Part::Paragraph(format!("and {others} with less")));
    }
    parts
}

fn heading(trace: &Trace) -> Part {
    let what = match (&trace.command, trace.source) {
        (Some(command), _) => command.join(" "),
        (None, EventSource::StraceLog) => "an strace log".to_owned(),
        (None, _) if trace.processes > 1 => "running processes".to_owned(),
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
    Part::Paragraph(format!("{what}: {}", facts.join(", ")))
}

fn calls(trace: &Trace) -> Part {
    let calls = trace.syscalls.by_name();
    if calls.is_empty() {
        return Part::Paragraph("none of the watched system calls was made".to_owned());
    }
    let columns = [Column::Left("system call"), Column::Right("calls"), Column::Right("failed")];
    let failed = |failed| match failed {
        0 => String::new(),
        failed => thousands(failed),
    };
    let rows = calls
        .into_iter()
        .map(|(name, counts)| [name.to_owned(), thousands(counts.calls), failed(counts.failed)]);
    Part::table(&columns, rows)
}

fn kinds(trace: &Trace) -> Vec<Part> {
    let growth = &trace.growth;
    let (Some(bytes), Some(peak_bytes)) = (growth.bytes, growth.peak_bytes) else {
        return vec![Part::Paragraph("growth: not known".to_owned())];
    };
    let columns =
        [Column::Left("growth"), Column::Right("at the end"), Column::Right("at the peak")];
    let row = |title: &str, end, peak| {
        [title.to_owned(), or_unknown(end, signed), or_unknown(peak, signed)]
    };
    let mut rows = Vec::new();
    for kind in GrowthKind::ALL {
        let (end, peak) = (growth.by_kind.get(kind), growth.peak_by_kind.get(kind));
        if end.is_some_and(|end| end != 0) || peak.is_some_and(|peak| peak != 0) {
            rows.push(row(kind.title(), end, peak));
        }
    }
    rows.push(row("in all", Some(bytes), Some(peak_bytes)));
    let told = |bytes| or_unknown(bytes, |bytes| Bytes(bytes).to_string());
    let in_all = format!(
        "asked for in all: {}; given back before the end: {}",
        told(growth.asked_bytes),
        told(growth.returned_bytes),
    );
    vec![Part::table(&columns, rows), Part::Paragraph(in_all)]
}

/// Who grew, where there are several.
fn processes(trace: &Trace, extent: Extent) -> Vec<Part> {
    let all = &trace.growth.by_process;
    if all.len() < 2 {
        return Vec::new();
    }
    let columns =
        [Column::Right("growth"), Column::Right("asked for"), Column::Left("in this process")];
    let shown = all.iter().take(extent.processes);
    let rows = shown.map(|it| [signed(it.bytes), Bytes(it.asked_bytes).to_string(), it.name()]);
    let mut parts = vec![Part::table(&columns, rows)];
    let others = all.len().saturating_sub(extent.processes) as u64;
    let others = others + trace.growth.programs_left_out;
    if others > 0 {
        let told: i64 = all.iter().take(extent.processes).map(|it| it.bytes).sum();
        let rest = or_unknown(trace.growth.bytes, |bytes| signed(bytes - told));
        let others = counted(others, "program", "programs");
        parts.push(Part::Paragraph(format!("and {others} with less: {rest} together")));
    }
    parts
}

fn or_unknown<T>(figure: Option<T>, told: impl Fn(T) -> String) -> String {
    figure.map_or_else(|| "not known".to_owned(), told)
}

fn signed(bytes: i64) -> String {
    let sign = if bytes < 0 { "−" } else { "" };
    format!("{sign}{}", Bytes(bytes.unsigned_abs()))
}

fn files(trace: &Trace, extent: Extent) -> Vec<Part> {
    let growth = &trace.growth;
    let kept_open = kept_open(trace).map(Part::Paragraph);
    let telling =
        growth.by_file.iter().filter(|file| file.asked_bytes.is_none_or(|bytes| bytes > 0));
    let shown: Vec<_> = telling.take(extent.files).collect();
    if shown.is_empty() {
        return kept_open.into_iter().collect();
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
            [thousands(file.opens), told(file.bytes), told(file.median_bytes), file.path.clone()]
        })
        .collect();
    rows.extend(growth.without_file_bytes.map(|bytes| {
        let none = String::new;
        [none(), signed(bytes), none(), "(no file)".to_owned()]
    }));
    let mut parts = vec![Part::table(&columns, rows)];
    let others = growth.by_file.len() - shown.len();
    if others > 0 {
        let others = counted(others as u64, "other file", "other files");
        let which = match growth.without_file_bytes {
            Some(_) => "with less or none",
            None => "opened less often",
        };
        parts.push(Part::Paragraph(format!("and {others}, {which}")));
    }
    parts.extend(kept_open);
    parts
}

/// Growth beside which a file was merely open, where it is worth a word.
fn kept_open(trace: &Trace) -> Option<String> {
    let kept_open = trace.growth.most_kept_open.as_ref();
    let is_much = |kept: &&KeptOpen| kept.bytes >= WORTH_TELLING_BYTES as i64;
    let KeptOpen { path, bytes } = kept_open.filter(is_much)?;
    Some(format!(
        "{} came while {path} was kept open, and isn't counted as its: whether it was read then isn't \
         known",
        signed(*bytes),
    ))
}

fn fallback(trace: &Trace) -> Option<Part> {
    let fallback = trace.fallback.as_ref().filter(|all| all.count() > 0)?;
    Some(Part::Paragraph(format!(
        "fallback mmaps in place of a refused brk: {}, {} ({})",
        thousands(fallback.count()),
        Bytes(fallback.bytes()),
        sizes(fallback),
    )))
}

fn observer(trace: &Trace) -> Option<Part> {
    let observer = trace.observer.as_ref()?;
    let stops = match observer.stops {
        0 => "nothing was stopped".to_owned(),
        stops => counted(stops, "stop", "stops"),
    };
    let memory = observer
        .peak_rss_bytes
        .map_or_else(String::new, |bytes| format!(", {} of memory at its peak", Bytes(bytes)));
    Some(Part::Paragraph(format!(
        "observer ({}): {stops}, {} of processor time{memory}",
        observer.via,
        Seconds(observer.cpu_seconds),
    )))
}

fn of_stack(stack: &StackGrowth) -> Vec<Part> {
    let mut title =
        format!("{} in {}", Bytes(stack.bytes), counted(stack.count, "request", "requests"));
    let asked = stack.requested.iter();
    let sizes: Vec<_> = asked.map(|(bytes, count)| (*count, *bytes)).collect();
    if !sizes.is_empty() {
        title.push_str(&format!("; asked of malloc: {}", times_bytes(&sizes, 4)));
    }
    let mut text = String::new();
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
    vec![Part::Paragraph(title), Part::Lines(text)]
}
