//! Many processes as a table: a row each.

use heap_meter::report::{Column, Part, Sections, known_bytes};
use human_text::{Bytes, counted, thousands};
use ptmalloc::HeapState;

use super::inspected::{Inspected, Survey, Why};

/// Findings that a column of their own shows already.
const SHOWN_ELSEWHERE: [&str; 5] =
    ["break-blocked", "break-limited", "break-abandoned", "break-near-wall", "memory-returnable"];

/// A survey: what could be given back in all, the first `top` rows, and what they leave out.
pub(super) fn survey_table(survey: &Survey, top: usize) -> Sections {
    let all = &survey.processes;
    let shown = &all[..top.min(all.len())];
    let more = not_shown(shown.len(), all.len());
    let told = shown.iter().any(|process| !process.findings.is_empty());
    let next = told.then(|| "brkhole inspect PID tells what to do.".to_owned());
    let below = [more, not_read(survey), next].into_iter().flatten();
    Sections(vec![vec![total(all)], vec![rows(shown)], below.map(Part::Paragraph).collect()])
}

fn not_shown(shown: usize, all: usize) -> Option<String> {
    let more = all as u64 - shown as u64;
    (more > 0).then(|| format!("{} not shown (--top {all})", counted(more, "more is", "more are")))
}

/// Processes that were named, of so many: what was found in each and what to do, and a row each.
pub(super) fn named_table(processes: &[Inspected], all: usize) -> Sections {
    let found = processes.iter().filter(|each| !each.findings.is_empty());
    let found = found.map(|process| {
        let findings = process.findings.iter().cloned().map(Part::Finding);
        let name = Part::Paragraph(format!("{}:", process.name()));
        [name].into_iter().chain(findings).collect()
    });
    let total = [vec![total(processes)]].into_iter();
    let more = not_shown(processes.len(), all).map(Part::Paragraph);
    let rows = [rows(processes)].into_iter().chain(more).collect();
    Sections(total.chain(found).chain([rows]).collect())
}

fn rows(processes: &[Inspected]) -> Part {
    let columns = [
        Column::Right("pid"),
        Column::Left("command"),
        Column::Right("resident"),
        Column::Right("heap"),
        Column::Right("free"),
        Column::Right("returnable"),
        Column::Left("break"),
        Column::Left("notes"),
    ];
    let row = |process: &Inspected| {
        let malloc = process.malloc.as_ref();
        [
            process.pid.to_string(),
            process.comm.clone(),
            Bytes(process.weight.rss_bytes).to_string(),
            known_bytes(malloc.and_then(HeapState::total_bytes)),
            known_bytes(malloc.and_then(|state| state.free_bytes)),
            known_bytes(process.returnable_bytes()),
            process.break_word().to_owned(),
            notes(process),
        ]
    };
    Part::table(&columns, processes.iter().map(row))
}

/// What no figure shows.
fn notes(process: &Inspected) -> String {
    let kinds = process.findings.iter().map(|finding| finding.kind.as_str());
    let mut notes: Vec<&str> = kinds.filter(|kind| !SHOWN_ELSEWHERE.contains(kind)).collect();
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

/// The answer: how much could be given back, and most of it by whom.
fn total(all: &[Inspected]) -> Part {
    let known = all.iter().filter_map(Inspected::returnable_bytes);
    let returnable: u64 = known.fold(0, u64::saturating_add);
    let most = all.iter().max_by_key(|each| each.returnable_bytes());
    let most = most.filter(|_| returnable > 0).map_or_else(String::new, |most| {
        format!(", {} of it by {}", known_bytes(most.returnable_bytes()), most.name())
    });
    Part::Heading(format!(
        "{}: {} could be given back in all{most}; pages that several share are counted in each",
        counted(all.len() as u64, "process", "processes"),
        Bytes(returnable)
    ))
}

fn not_read(survey: &Survey) -> Option<String> {
    let reasons = unread_by_reason(survey)?;
    Some(format!("not looked into: {reasons}"))
}

/// How many could not be read, by reason: `3 not permitted (…), 1 ended meanwhile`.
pub(super) fn unread_by_reason(survey: &Survey) -> Option<String> {
    let parts = Why::ALL.into_iter().filter_map(|why| {
        let number = survey.unread_for(why);
        let words = match why {
            Why::Denied if nix::unistd::geteuid().is_root() => "not permitted, though this is root",
            Why::Denied => "not permitted (run this as root: sudo)",
            Why::Gone => "ended meanwhile",
            Why::Zombie => "ended and not yet waited for",
            Why::KernelThread => "of the kernel's own, without memory",
            Why::Other => "for another reason (name it to see which: brkhole inspect PID)",
        };
        (number > 0).then(|| format!("{} {words}", thousands(number as u64)))
    });
    let parts: Vec<String> = parts.collect();
    (!parts.is_empty()).then(|| parts.join(", "))
}
