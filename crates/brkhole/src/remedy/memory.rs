//! What malloc's state tells of a heap that grew: whether fewer arenas would help, which is only where
//! threads' arenas keep much that is free, and whose large mappings they are, where somebody knows.

use heap_meter::trace::{MallocReport, Moment, Trace};
use human_text::Bytes;
use ptmalloc::{Free, HeapState, Unknown};

/// So great a part of the threads' arenas, free, is worth a remedy, …
const SHARE: f64 = 1.0 / 3.0;
/// … if it is this much: at its end, every arena keeps 128 KiB by design.
const WORTH_TELLING_BYTES: u64 = 4 << 20;
/// With more than this free, a process that ends has freed what it had on its way out: what was free
/// before that, nobody knows.
const ALL: f64 = 0.8;

/// Says so of a heap that grew by arenas.
pub(super) fn arenas(trace: &mut Trace) {
    let reports = trace.malloc.as_deref().unwrap_or_default();
    let parts = reports.iter().filter_map(part);
    let most = parts.max_by_key(|(free_bytes, _, _)| *free_bytes);
    let Some((free_bytes, system_bytes, report)) = most else {
        return;
    };
    let when = match report.when == Moment::Exit {
        true => "as it ended",
        false => "when the watching ended",
    };
    let findings = trace.findings.iter_mut();
    for finding in findings.filter(|one| one.kind == "grew-by-arenas") {
        let free = ("arenas_free_bytes".to_owned(), free_bytes.into());
        finding.evidence.extend([free]);
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

/// Libraries that bring a malloc of their own, by the beginning of their names.
const ALLOCATORS: [&str; 5] =
    ["libjemalloc", "libtcmalloc", "libmimalloc", "libsnmalloc", "libscudo"];

/// Says of memory that came by large mappings whose it is.
pub(super) fn mappings(trace: &mut Trace) {
    let reports = trace.malloc.as_deref().unwrap_or_default();
    let libraries = trace.growth.by_file.iter();
    let library = libraries.map(|file| name(&file.path)).find(|name| is_allocator(name));
    let finding = trace.findings.iter_mut().find(|finding| finding.kind == "grew-by-large-blocks");
    let Some(finding) = finding else {
        return;
    };
    let peak = &finding.evidence["peak_large_block_bytes"];
    let peak_bytes = peak.as_u64().unwrap_or(0);
    let whose = reports.iter().find_map(|report| whose(report, peak_bytes));
    let loaded = || library.map(|name| format!("{name} is loaded: they may be its."));
    if let Some(whose) = whose.or_else(loaded) {
        finding.message.push(' ');
        finding.message.push_str(&whose);
    }
}

fn whose(report: &MallocReport, peak_bytes: u64) -> Option<String> {
    let process = report.name();
    let Some(state) = &report.state else {
        return match (&report.allocator, &report.unknown) {
            (_, Some(unknown)) if *unknown == Unknown::NotUsed.to_string() => {
                Some(format!("{process} has not used malloc: there they are not malloc's."))
            }
            // gperftools' asks the break first.
            (Some(allocator), _) if allocator == "tcmalloc" => {
                Some(format!("{process} uses {allocator}: they may be its."))
            }
            (Some(allocator), _) if !allocator.contains("glibc") => {
                Some(format!("{process} uses {allocator}, which takes all its memory in this way."))
            }
            _ => None,
        };
    };
    let main = state.arenas.iter().find(|arena| arena.main)?;
    let has_most = main.system_bytes > peak_bytes / 2;
    (state.non_contiguous && has_most).then(|| {
        format!(
            "In {process} they are glibc's own heap: it takes {} by mmap in place of the break, \
             and what is freed of them stays until malloc_trim.",
            Bytes(main.system_bytes)
        )
    })
}

fn is_allocator(name: &str) -> bool {
    ALLOCATORS.iter().any(|library| name.starts_with(library))
}

fn name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}
