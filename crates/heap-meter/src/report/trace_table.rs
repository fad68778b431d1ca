//! A watched run as tables that a person understands at once.

use comfy_table::Cell;

use super::malloc_table::malloc_table;
use super::text::{lines_of, plain_table, right, sizes, wrapped};
use human_text::printable;
use nix::sys::signal::Signal;

use crate::trace::{ByStack, EventSource, KeptOpen, Trace};
use heap_diagnosis::Finding;
use heap_growth::GrowthKind;
use human_text::{Bytes, Seconds, thousands};
use memory_event::Ending;

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
    let findings = trace.findings.iter().map(|finding| ("•", told(finding)));
    let notes = trace.notes.iter().map(|note| ("note:", printable(note)));
    for (bullet, line) in findings.chain(notes) {
        text.push('\n');
        text.push_str(&wrapped(&format!("{bullet} {line}")));
    }
    text
}

fn told(finding: &Finding) -> String {
    printable(&finding.to_string())
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

fn counted(number: u64, one: &str, many: &str) -> String {
    let what = if number == 1 { one } else { many };
    format!("{} {what}", thousands(number))
}

fn calls(trace: &Trace) -> String {
    let calls = trace.syscalls.by_name();
    if calls.is_empty() {
        return "none of the watched system calls was made\n".to_owned();
    }
    let header = vec![Cell::new("system call"), right("calls"), right("failed")];
    let mut table = plain_table(header);
    for (name, counts) in calls {
        let cells = [Cell::new(name), right(&thousands(counts.calls))];
        let failed = match counts.failed {
            0 => String::new(),
            failed => thousands(failed),
        };
        table.add_row(cells.into_iter().chain([right(&failed)]));
    }
    lines_of(&table)
}

fn kinds(trace: &Trace) -> String {
    let growth = &trace.growth;
    let (Some(bytes), Some(peak_bytes)) = (growth.bytes, growth.peak_bytes) else {
        return "growth: not known\n".to_owned();
    };
    let header = vec![
        Cell::new("growth"),
        right("at the end"),
        right("at the peak"),
    ];
    let mut table = plain_table(header);
    for kind in GrowthKind::ALL {
        let (end, peak) = (growth.by_kind.get(kind), growth.peak_by_kind.get(kind));
        if end.is_some_and(|end| end != 0) || peak.is_some_and(|peak| peak != 0) {
            table.add_row([
                Cell::new(kind.title()),
                right(&or_unknown(end, signed)),
                right(&or_unknown(peak, signed)),
            ]);
        }
    }
    table.add_row([
        Cell::new("in all"),
        right(&signed(bytes)),
        right(&signed(peak_bytes)),
    ]);
    let mut text = lines_of(&table);
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
    let header = vec![
        right("opens"),
        right("growth"),
        right("each time"),
        Cell::new("while this file was being read"),
    ];
    let mut table = plain_table(header);
    let told = |bytes| or_unknown(bytes, |bytes| Bytes(bytes).to_string());
    for file in &shown {
        table.add_row([
            right(&thousands(file.opens)),
            right(&told(file.bytes)),
            right(&told(file.median_bytes)),
            Cell::new(printable(&file.path)),
        ]);
    }
    if let Some(bytes) = growth.without_file_bytes {
        table.add_row([
            right(""),
            right(&signed(bytes)),
            right(""),
            Cell::new("(no file)"),
        ]);
    }
    let mut text = lines_of(&table);
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
    let sizes: Vec<String> = stack
        .requested
        .iter()
        .take(4)
        .map(|(bytes, count)| format!("{} × {}", thousands(*count), Bytes(*bytes)))
        .collect();
    if !sizes.is_empty() {
        let more = if stack.requested.len() > 4 {
            ", …"
        } else {
            ""
        };
        text.push_str(&format!("; asked of malloc: {}{more}", sizes.join(", ")));
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
