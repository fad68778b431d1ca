//! A row a process, for spreadsheets.

use heap_meter::report::rows_csv;
use serde::Serialize;

use super::inspected::Inspected;
use super::text::break_word;

#[derive(Serialize)]
struct InspectCsvRow<'a> {
    unix_seconds: u64,
    pid: i32,
    comm: &'a str,
    allocator: Option<&'a str>,
    threads: u64,
    rss_bytes: u64,
    private_bytes: Option<u64>,
    swap_bytes: Option<u64>,
    peak_rss_bytes: Option<u64>,
    break_state: &'static str,
    room_bytes: Option<u64>,
    malloc_non_contiguous: Option<bool>,
    malloc_arenas: Option<usize>,
    malloc_system_bytes: Option<u64>,
    malloc_mmapped_count: Option<u64>,
    malloc_mmapped_bytes: Option<u64>,
    malloc_free_bytes: Option<u64>,
    malloc_returnable_bytes: Option<u64>,
    malloc_unknown: Option<&'a str>,
    findings: String,
}

/// The processes as CSV with a header; `unix_seconds` says when. What isn't known is an empty field,
/// kinds of findings stand in one, with spaces between.
///
/// # Errors
///
/// When a row can't be written, which no process yields.
pub(super) fn text(processes: &[Inspected], unix_seconds: u64) -> anyhow::Result<String> {
    let rows: Vec<InspectCsvRow<'_>> = processes
        .iter()
        .map(|process| row(process, unix_seconds))
        .collect();
    Ok(rows_csv(&rows)?)
}

fn row(process: &Inspected, unix_seconds: u64) -> InspectCsvRow<'_> {
    let malloc = process.malloc.as_ref();
    let mmapped = malloc.and_then(|state| state.mmapped);
    let kinds = process.findings.iter().map(|finding| finding.kind.as_str());
    InspectCsvRow {
        unix_seconds,
        pid: process.pid,
        comm: &process.comm,
        allocator: process.allocator.as_deref(),
        threads: process.weight.threads,
        rss_bytes: process.weight.rss_bytes,
        private_bytes: process.weight.private_bytes,
        swap_bytes: process.weight.swap_bytes,
        peak_rss_bytes: process.weight.peak_rss_bytes,
        break_state: break_word(process),
        room_bytes: process.heap.room_bytes,
        malloc_non_contiguous: malloc.map(|state| state.non_contiguous),
        malloc_arenas: malloc.map(|state| state.arenas.len()),
        malloc_system_bytes: malloc.map(|state| state.system_bytes),
        malloc_mmapped_count: mmapped.map(|mmapped| mmapped.count),
        malloc_mmapped_bytes: mmapped.map(|mmapped| mmapped.bytes),
        malloc_free_bytes: malloc.and_then(|state| state.free_bytes),
        malloc_returnable_bytes: process.returnable_bytes(),
        malloc_unknown: process.malloc_unknown.as_deref(),
        findings: kinds.collect::<Vec<_>>().join(" "),
    }
}
