//! Whose large mappings they are, where somebody knows.

use heap_meter::trace::{MallocReport, Trace};
use human_text::Bytes;
use ptmalloc::Unknown;

/// Libraries that bring a malloc of their own, by the beginning of their names.
const ALLOCATORS: [&str; 5] = [
    "libjemalloc",
    "libtcmalloc",
    "libmimalloc",
    "libsnmalloc",
    "libscudo",
];

/// Says of memory that came by large mappings whose it is.
pub(super) fn tell(trace: &mut Trace) {
    let reports = trace.malloc.as_deref().unwrap_or_default();
    let libraries = trace.growth.by_file.iter();
    let library = libraries
        .map(|file| name(&file.path))
        .find(|name| is_allocator(name));
    let finding = trace
        .findings
        .iter_mut()
        .find(|finding| finding.kind == "grew-by-large-blocks");
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
            (_, Some(unknown)) if *unknown == Unknown::NotUsed.to_string() => Some(format!(
                "{process} has not used malloc: there they are not malloc's."
            )),
            (Some(allocator), _) if !allocator.contains("glibc") => Some(format!(
                "{process} uses {allocator}, which takes all its memory in this way."
            )),
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
