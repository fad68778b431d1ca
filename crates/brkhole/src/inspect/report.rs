//! What was found, as the user asked for it.

use std::time::{SystemTime, UNIX_EPOCH};

use heap_meter::environment::Environment;
use heap_meter::report::{CsvRow, Document, Sections, json, rows_csv};

use super::inspected::{Inspected, Survey};
use super::{detail, openmetrics, summary};
use crate::cli::{InspectArguments, InspectFormat};
use crate::output::{self, ProcessList};

/// Rows of a table, and names in openmetrics, if nothing else is asked for.
pub(crate) const TOP: usize = 20;

/// Rows of a page.
const PAGE_TOP: usize = 500;

/// The text. `is_stream` is for programs that read one after the other: one line of JSON each, and
/// in CSV no header but before the first.
///
/// # Errors
/// When a figure can't be written as JSON or CSV, which no survey yields.
pub(super) fn text(
    survey: &Survey,
    arguments: &InspectArguments,
    is_stream: bool,
    is_first: bool,
) -> anyhow::Result<String> {
    let asked = asked(survey, arguments);
    Ok(match arguments.format {
        InspectFormat::Table if survey.is_empty() => match arguments.watch {
            Some(_) => arguments.processes.wanted.nothing() + "\n",
            None => String::new(),
        },
        InspectFormat::Table => {
            output::fitted(&table(survey, arguments, TOP), arguments.file.as_deref())
        }
        InspectFormat::Json => {
            let list = ProcessList { processes: asked };
            match is_stream {
                true => serde_json::to_string(&Document::of(&list))? + "\n",
                false => json(&list)?,
            }
        }
        InspectFormat::Csv => {
            let now = unix_seconds();
            let text = rows_csv(asked.iter().map(|process| row(process, now)))?;
            match text.split_once('\n') {
                Some((_, rows)) if is_stream && !is_first => rows.to_owned(),
                _ => text,
            }
        }
        InspectFormat::Openmetrics => openmetrics::of(survey, arguments.top.unwrap_or(TOP)).end(),
    })
}

/// The page, with more rows of a survey than a table has.
pub(super) fn page(survey: &Survey, arguments: &InspectArguments) -> String {
    let mut page = output::page(table(survey, arguments, PAGE_TOP));
    page.environment = Some(Environment::here());
    page.html()
}

/// What people read; `rows` of a survey, if they didn't say how many.
fn table(survey: &Survey, arguments: &InspectArguments, rows: usize) -> Sections {
    match asked(survey, arguments) {
        _ if arguments.is_survey() => summary::survey_table(survey, arguments.top.unwrap_or(rows)),
        [] => Sections::default(),
        [process] if survey.processes.len() == 1 => detail::table(process),
        several => summary::named_table(several, survey.processes.len()),
    }
}

/// So many as were asked for.
fn asked<'a>(survey: &'a Survey, arguments: &InspectArguments) -> &'a [Inspected] {
    let all = survey.processes.len();
    &survey.processes[..all.min(arguments.top.unwrap_or(all))]
}

/// `unix_seconds` says when. What isn't known is an empty field, kinds of findings stand in one, with
/// spaces between.
fn row(process: &Inspected, unix_seconds: u64) -> CsvRow {
    let weight = &process.weight;
    let malloc = process.malloc.as_ref();
    let mmapped = malloc.and_then(|state| state.mmapped);
    let free_bytes = malloc.and_then(|state| state.free_bytes);
    let kinds = process.findings.iter().map(|finding| finding.kind.as_str());
    CsvRow::new()
        .field("unix_seconds", unix_seconds)
        .field("pid", process.pid)
        .field("comm", &*process.comm)
        .field("allocator", process.allocator.as_deref())
        .field("threads", weight.threads)
        .field("rss_bytes", weight.rss_bytes)
        .field("private_bytes", weight.private_bytes)
        .field("swap_bytes", weight.swap_bytes)
        .field("peak_rss_bytes", weight.peak_rss_bytes)
        .field("break_state", process.break_word())
        .field("room_bytes", process.heap.room_bytes)
        .field("malloc_non_contiguous", malloc.map(|state| state.non_contiguous))
        .field("malloc_arenas", malloc.map(|state| state.arenas.len()))
        .field("malloc_system_bytes", malloc.map(|state| state.system_bytes))
        .field("malloc_mmapped_count", mmapped.map(|mmapped| mmapped.count))
        .field("malloc_mmapped_bytes", mmapped.map(|mmapped| mmapped.bytes))
        .field("malloc_free_bytes", free_bytes)
        .field("malloc_returnable_bytes", process.returnable_bytes())
        .field("malloc_unknown", process.malloc_unknown.as_deref())
        .field("findings", kinds.collect::<Vec<_>>().join(" "))
}

pub(super) fn unix_seconds() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs())
}
