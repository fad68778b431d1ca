//! Whether fewer arenas would help: only where threads' arenas keep much that is free.

use heap_meter::trace::{MallocReport, Moment, Trace};
use human_text::Bytes;
use ptmalloc::{Free, HeapState};

/// So great a part of the threads' arenas, free, is worth a remedy, …
const SHARE: f64 = 1.0 / 3.0;
/// … if it is this much: at its end, every arena keeps 128 KiB by design.
const WORTH_TELLING_BYTES: u64 = 4 << 20;
/// With more than this free, a process that ends has freed what it had on its way out: what was free
/// before that, nobody knows.
const ALL: f64 = 0.8;

/// Says so of a heap that grew by arenas.
pub(super) fn tell(trace: &mut Trace) {
    let reports = trace.malloc.as_deref().unwrap_or_default();
    let parts = reports.iter().filter_map(part);
    let most = parts.max_by_key(|(free_bytes, _, _)| *free_bytes);
    let Some((free_bytes, system_bytes, report)) = most else {
        return;
    };
    let when = match report.when {
        Moment::Exit => "as it ended",
        Moment::EndOfWatching => "when the watching ended",
    };
    for finding in trace
        .findings
        .iter_mut()
        .filter(|one| one.kind == "grew-by-arenas")
    {
        finding
            .evidence
            .insert("arenas_free_bytes".to_owned(), free_bytes.into());
        finding.remedy = Some(format!(
            "In {} {} of the {} in threads' arenas were free {when}: each arena keeps what it has \
             freed. Fewer of them (MALLOC_ARENA_MAX=2 in the environment) spare memory and cost \
             contention.",
            report.name(),
            Bytes(free_bytes),
            Bytes(system_bytes),
        ));
    }
}

/// What is free in threads' arenas, and of how much, if that is worth a remedy.
fn part(report: &MallocReport) -> Option<(u64, u64, &MallocReport)> {
    let state = report.state.as_ref()?;
    let (mut free_bytes, mut system_bytes) = (0, 0);
    for arena in state.arenas.iter().filter(|arena| !arena.main) {
        free_bytes += arena.free.as_ref().map_or(0, Free::total_bytes);
        system_bytes += arena.system_bytes;
    }
    let is_much = free_bytes >= WORTH_TELLING_BYTES
        && free_bytes as f64 >= SHARE * system_bytes as f64
        && !(report.when == Moment::Exit && has_freed_all(state));
    is_much.then_some((free_bytes, system_bytes, report))
}

fn has_freed_all(state: &HeapState) -> bool {
    let free_bytes = state.free_bytes.unwrap_or(u64::MAX);
    free_bytes as f64 > ALL * state.system_bytes as f64
}
