//! Many processes as a table: a row each.

use heap_meter::report::{Column, rows_table, wrapped};
use human_text::Bytes;
use ptmalloc::HeapState;

use super::inspected::{Inspected, Survey};
use super::text::{break_word, bytes, counted, told, unread_by_reason};

/// Findings that a column of their own shows already.
const SHOWN_ELSEWHERE: [&str; 5] = [
    "break-blocked",
    "break-limited",
    "break-abandoned",
    "break-near-wall",
    "memory-returnable",
];

/// A survey: the first `top` rows, and below them what they leave out.
pub(super) fn survey_table(survey: &Survey, top: usize) -> String {
    let shown = &survey.processes[..top.min(survey.processes.len())];
    let mut text = rows(shown);
    text.push('\n');
    for line in [total(survey, shown.len()), not_read(survey)] {
        line.iter().for_each(|line| text.push_str(&wrapped(line)));
    }
    if shown.iter().any(|process| !process.findings.is_empty()) {
        text.push_str("brkhole inspect PID tells what to do.\n");
    }
    text
}

/// Processes that were named: a row each, and below them what was found and what to do.
pub(super) fn named_table(processes: &[Inspected]) -> String {
    let mut text = rows(processes);
    for process in processes.iter().filter(|each| !each.findings.is_empty()) {
        text.push_str(&format!("\n{}:\n", super::detail::name(process)));
        for finding in &process.findings {
            text.push_str(&told(finding));
        }
    }
    text
}

fn rows(processes: &[Inspected]) -> String {
    let columns = [
        Column::Right("pid"),
        Column::Left("command"),
        Column::Right("resident"),
        Column::Right("malloc has"),
        Column::Right("free"),
        Column::Right("returnable"),
        Column::Left("break"),
        Column::Left("notes"),
    ];
    let rows: Vec<_> = processes
        .iter()
        .map(|process| {
            let malloc = process.malloc.as_ref();
            [
                process.pid.to_string(),
                process.comm.clone(),
                Bytes(process.weight.rss_bytes).to_string(),
                bytes(malloc.and_then(HeapState::total_bytes)),
                bytes(malloc.and_then(|state| state.free_bytes)),
                bytes(process.returnable_bytes()),
                break_word(process).to_owned(),
                notes(process),
            ]
        })
        .collect();
    rows_table(columns, &rows)
}

/// What no figure shows.
fn notes(process: &Inspected) -> String {
    let kinds = process.findings.iter().map(|finding| finding.kind.as_str());
    let mut notes: Vec<&str> = kinds
        .filter(|kind| !SHOWN_ELSEWHERE.contains(kind))
        .collect();
    if process.malloc.is_none() {
        notes.push(process.allocator.as_deref().unwrap_or("malloc unknown"));
    } else if process.malloc.as_ref().is_some_and(is_partly_unknown) {
        notes.push("partly unknown");
    }
    notes.join(", ")
}

fn is_partly_unknown(state: &HeapState) -> bool {
    state.returnable_bytes.is_none() || state.mmapped.is_none()
}

fn total(survey: &Survey, shown: usize) -> Option<String> {
    let all = &survey.processes;
    let known = all.iter().filter_map(Inspected::returnable_bytes);
    let returnable: u64 = known.fold(0, u64::saturating_add);
    let more = match all.len() - shown {
        0 => String::new(),
        more => format!("; {more} more are not shown (--top {})", all.len()),
    };
    Some(format!(
        "{}: {} could be given back in all, pages that several share counted in each{more}",
        counted(all.len(), "process", "processes"),
        Bytes(returnable)
    ))
}

fn not_read(survey: &Survey) -> Option<String> {
    let reasons = unread_by_reason(&survey.unread)?;
    Some(format!("not looked into: {reasons}"))
}
