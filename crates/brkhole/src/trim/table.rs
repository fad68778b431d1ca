//! What became of the processes: a table for people, rows for spreadsheets.

use heap_meter::report::{Column, CsvRow, NONE, Part, Sections, known_bytes, printable};
use human_text::{Bytes, Seconds};
use serde_json::json;

use super::look::WORTH_A_WORD_BYTES;
use super::report::{TrimOutcome, TrimReport};

/// What came of it, a row for each process that can be told of in figures, and what figures can't say.
pub(super) fn of(reports: &[TrimReport]) -> Sections {
    let columns = [
        Column::Right("pid"),
        Column::Left("command"),
        Column::Right("predicted"),
        Column::Right("given back"),
        Column::Right("rss before"),
        Column::Right("rss after"),
        Column::Right("stood still"),
        Column::Left("malloc"),
    ];
    let done: Vec<&TrimReport> = reports.iter().filter(|report| report.is_success()).collect();
    let rows: Vec<_> = done
        .iter()
        .map(|report| {
            [
                report.pid.to_string(),
                report.comm.clone().unwrap_or_default(),
                known_bytes(report.predicted_bytes),
                known_bytes(report.returned_bytes),
                known_bytes(report.rss_before_bytes),
                known_bytes(report.rss_after_bytes),
                match report.outcome {
                    TrimOutcome::Trimmed => Seconds(report.held_seconds).to_string(),
                    _ => NONE.to_owned(),
                },
                report.allocator.clone().unwrap_or_default(),
            ]
        })
        .collect();
    let mut parts = Vec::new();
    if !rows.is_empty() {
        parts.push(Part::table(&columns, rows));
    }
    for report in &done {
        let notes = [held(report), counted(report)].into_iter().flatten();
        let notes = notes.chain(report.notes.iter().cloned());
        let name = name(report);
        parts.extend(notes.map(|note| Part::Paragraph(format!("{name}: {note}"))));
    }
    Sections(vec![answer(reports, &done).into_iter().collect(), parts])
}

/// How much came back in all.
fn answer(reports: &[TrimReport], done: &[&TrimReport]) -> Option<Part> {
    let is_dry = |report: &&TrimReport| report.outcome == TrimOutcome::Predicted;
    let (gave, bytes, [least, are]): (_, fn(&TrimReport) -> Option<u64>, _) =
        match done.iter().any(is_dry) {
            true => ("would give back", |report| report.predicted_bytes, ["at least ", "are"]),
            false => ("gave back", |report| report.returned_bytes, ["", "were"]),
        };
    let who = match done {
        [] => return None,
        [one] => name(one),
        several => format!("{} processes", several.len()),
    };
    if done.iter().all(|report| bytes(report).is_none()) {
        return Some(Part::Heading(format!("what {who} {gave} isn't known before")));
    }
    let bytes: u64 = done.iter().filter_map(|report| bytes(report)).sum();
    let failed = match reports.len() - done.len() {
        0 => String::new(),
        failed => format!("; {failed} not trimmed"),
    };
    let shared = done.iter().map(|report| report.shared_bytes()).sum();
    // Counted in each of them, though the machine gets it back but once, after the last.
    let shared = match shared >= WORTH_A_WORD_BYTES {
        true => format!(", of which {least}{} {are} shared with other processes", Bytes(shared)),
        false => String::new(),
    };
    Some(Part::Heading(format!("{who} {gave} {}{shared}{failed}", Bytes(bytes))))
}

/// Why it wasn't trimmed; some errors name the process themselves.
pub(crate) fn failure(report: &TrimReport) -> Option<String> {
    let itself = format!("process {}: ", report.pid);
    let what = report.reason.as_deref().unwrap_or("it was not trimmed");
    let what = what.strip_prefix(&itself).unwrap_or(what);
    (!report.is_success()).then(|| format!("{}: {}", name(report), printable(what)))
}

/// What a process gave back, in a line.
pub(crate) fn gave_back(report: &TrimReport) -> String {
    format!(
        "{} gave back {}, {} are left; it stood still for {}",
        name(report),
        known_bytes(report.returned_bytes),
        known_bytes(report.rss_after_bytes),
        Seconds(report.held_seconds)
    )
}

/// What it is called on standard error, and below the table.
fn name(report: &TrimReport) -> String {
    match &report.comm {
        Some(comm) => format!("process {} ({})", report.pid, printable(comm)),
        None => format!("process {}", report.pid),
    }
}

/// How long it stood still, and how often.
fn held(report: &TrimReport) -> Option<String> {
    let call = report.call_seconds?;
    let threads = match report.threads {
        Some(1) | None => "its thread".to_owned(),
        Some(threads) => format!("all {threads} threads"),
    };
    let foretold = report.predicted_held_seconds;
    let foretold =
        foretold.map_or_else(String::new, |most| format!(" (foretold: about {})", Seconds(most)));
    let mut text = format!(
        "{threads} stood still for {}, of which {} took {}{foretold}",
        Seconds(report.held_seconds),
        report.called.unwrap_or("the call"),
        Seconds(call)
    );
    if report.attempts > 1 {
        let reasons = report.waited_for.iter();
        let reasons: Vec<_> = reasons
            .map(|waited| format!("{} × {}", waited.attempts, printable(&waited.reason)))
            .collect();
        text = format!(
            "{text}; in {} attempts, the longest {}, because {}",
            report.attempts,
            Seconds(report.longest_held_seconds),
            reasons.join("; ")
        );
    }
    Some(text)
}

/// What another allocator counts of itself.
fn counted(report: &TrimReport) -> Option<String> {
    let before = report.allocator_before?;
    let allocator = report.allocator.as_deref().unwrap_or("its allocator");
    let after = report.allocator_after.map(|after| format!("; afterwards {after}"));
    Some(format!("{allocator} counted {before}{}", after.unwrap_or_default()))
}

pub(super) fn csv_row(report: &TrimReport) -> CsvRow {
    CsvRow::new()
        .field("pid", report.pid)
        .field("comm", report.comm.as_deref())
        .field("outcome", json!(report.outcome))
        .field("predicted_bytes", report.predicted_bytes)
        .field("returned_bytes", report.returned_bytes)
        .field("returned_shared_bytes", report.returned_shared_bytes)
        .field("rss_before_bytes", report.rss_before_bytes)
        .field("rss_after_bytes", report.rss_after_bytes)
        .field("private_before_bytes", report.private_before_bytes)
        .field("private_after_bytes", report.private_after_bytes)
        .field("threads", report.threads)
        .field("attempts", report.attempts)
        .field("held_seconds", report.held_seconds)
        .field("longest_held_seconds", report.longest_held_seconds)
        .field("predicted_held_seconds", report.predicted_held_seconds)
        .field("call_seconds", report.call_seconds)
        .field("allocator", report.allocator.as_deref())
        .field("called", report.called)
        .field("reason", report.reason.as_deref())
}
