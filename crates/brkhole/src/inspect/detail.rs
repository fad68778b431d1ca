//! One process as a table: itself, what was found, its memory, its break, its malloc.

use heap_meter::report::{Column, NONE, Part, Sections, known_bytes};
use human_text::{Bytes, counted, thousands};
use proc_memory::Mapping;
use ptmalloc::{Arena, HeapState};

use super::inspected::{Inspected, MemoryWeight};
use super::{account, since};

/// So many arenas are shown, those that could return most; JSON has all.
const ARENAS: usize = 16;

/// The process, in sections.
pub(super) fn table(process: &Inspected) -> Sections {
    let threads = counted(process.weight.threads, "thread", "threads");
    let mut itself = format!("{}: {}, {threads}", process.name(), allocator(process));
    if let Some(returnable) = process.returnable_bytes() {
        let [returnable, resident] = [returnable, process.weight.rss_bytes].map(Bytes);
        itself += &format!("; {returnable} of {resident} could be given back");
    }
    let malloc = match &process.malloc {
        Some(state) => malloc(state),
        None => vec![Part::Paragraph(format!(
            "malloc: not known: {}",
            process.malloc_unknown.as_deref().unwrap_or(NONE)
        ))],
    };
    let findings = match process.findings.as_slice() {
        [] => vec![Part::Paragraph("Nothing to report.".to_owned())],
        findings => findings.iter().cloned().map(Part::Finding).collect(),
    };
    Sections(vec![
        vec![Part::Heading(itself)],
        findings,
        vec![pairs("memory", weight(&process.weight))],
        since::table(process),
        account::table(process),
        vec![pairs("break", heap(process))],
        malloc,
    ])
}

/// Whose malloc it is.
fn allocator(process: &Inspected) -> String {
    let name = process.allocator.as_deref().unwrap_or("malloc unknown");
    match process.other_allocators.as_slice() {
        [] => name.to_owned(),
        others => format!("{name} (beside it: {})", others.join(", ")),
    }
}

fn pairs(title: &'static str, pairs: Vec<(&str, String)>) -> Part {
    let columns = [Column::Left(title), Column::Left("")];
    let rows = pairs.into_iter();
    Part::table(&columns, rows.map(|(name, value)| [format!("  {name}"), value]))
}

fn weight(weight: &MemoryWeight) -> Vec<(&'static str, String)> {
    let resident = match weight.rss_exact {
        true => Bytes(weight.rss_bytes).to_string(),
        false => format!("about {}", Bytes(weight.rss_bytes)),
    };
    let if_any = |bytes: Option<u64>| bytes.filter(|&bytes| bytes > 0);
    let further = [
        ("private", weight.private_bytes, ""),
        ("swapped out", if_any(weight.swap_bytes), ""),
        ("huge pages", if_any(weight.anon_huge_bytes), " of what is resident, transparent ones"),
        ("hugetlb", if_any(weight.hugetlb_bytes), " beside what is resident"),
        ("peak", weight.peak_rss_bytes, ""),
        ("address space", weight.address_space_bytes, ""),
    ];
    let further = further
        .into_iter()
        .filter_map(|(name, bytes, which)| Some((name, format!("{}{which}", Bytes(bytes?)))));
    [("resident", resident)].into_iter().chain(further).collect()
}

fn heap(process: &Inspected) -> Vec<(&'static str, String)> {
    let heap = &process.heap;
    let room = match (heap.room_bytes, heap.growable_bytes) {
        (Some(room), Some(growable)) if growable < room => {
            format!("{}, of which brk can take {}", Bytes(room), Bytes(growable))
        }
        (room, _) => known_bytes(room),
    };
    let range = format!("{} ({:#x}-{:#x})", Bytes(heap.segment_bytes), heap.start, heap.end);
    let blocker = heap.blocker.as_ref();
    let limit = heap.limits.tightest().map(|(name, limit)| {
        let figures = [limit.limit_bytes, limit.used_bytes, limit.left_bytes].map(Bytes);
        let [most, used, left] = figures;
        ("limit", format!("{name} of {most}: {used} in use, {left} left"))
    });
    let tunable = heap.tunable.clone().map(|tunable| ("tunable", tunable));
    let always = [
        ("state", process.break_word().to_owned()),
        ("[heap]", range),
        ("room above", room),
        ("ended by", blocker.map_or_else(|| NONE.to_owned(), mapping)),
    ];
    always.into_iter().chain(limit).chain(tunable).collect()
}

fn mapping(mapping: &Mapping) -> String {
    let name = match String::from_utf8_lossy(&mapping.name) {
        name if name.is_empty() => "anonymous memory".to_owned(),
        name => name.into_owned(),
    };
    format!(
        "{name} ({}, {:#x}-{:#x} {})",
        Bytes(mapping.length_bytes()),
        mapping.start,
        mapping.end,
        mapping.permissions
    )
}

fn malloc(state: &HeapState) -> Vec<Part> {
    let columns = [
        Column::Left("malloc, by arena"),
        Column::Right("heap"),
        Column::Right("free"),
        Column::Right("top"),
        Column::Right("free chunks"),
        Column::Right("returnable"),
        Column::Left(""),
    ];
    let mut arenas: Vec<&Arena> = state.arenas.iter().collect();
    arenas.sort_by_key(|arena| {
        std::cmp::Reverse((arena.main, arena.free.map(|free| free.returnable_bytes)))
    });
    let mut rows: Vec<_> = arenas.iter().take(ARENAS).map(|each| arena(each)).collect();
    if state.arenas.len() > 1 {
        rows.push([
            format!("  all {}", state.arenas.len()),
            Bytes(state.system_bytes).to_string(),
            known_bytes(state.free_bytes),
            String::new(),
            String::new(),
            known_bytes(state.returnable_bytes),
            String::new(),
        ]);
    }
    rows.extend(mmapped(state));
    let mut parts = vec![Part::table(&columns, rows)];
    let left_out = arenas.len().saturating_sub(ARENAS);
    if left_out > 0 {
        let left_out = counted(left_out as u64, "arena", "arenas");
        let told = format!("{left_out} not shown (--format json has all)");
        parts.push(Part::Paragraph(told));
    }
    parts.extend(not_returnable(state).map(Part::Paragraph));
    parts
}

/// Why not all that is free could go back.
fn not_returnable(state: &HeapState) -> Option<String> {
    const WORTH_TELLING_BYTES: u64 = 1 << 20;
    let pinned = state.pinned_bytes.filter(|bytes| *bytes >= WORTH_TELLING_BYTES)?;
    Some(format!(
        "{} more are free and resident, in {}, and stay: {}. A restart would give them back, a \
         trim doesn't.",
        Bytes(pinned),
        counted(state.runs().count, "run", "runs"),
        heap_diagnosis::why_pinned(state),
    ))
}

/// Blocks with mappings of their own, and all that malloc has with them; nothing if there are none.
fn mmapped(state: &HeapState) -> Vec<[String; 7]> {
    let row = |name: &str, has: Option<u64>, note: String| {
        let none = String::new;
        [name.to_owned(), known_bytes(has), none(), none(), none(), none(), note]
    };
    let Some(mmapped) = state.mmapped else {
        let why = state.mmapped_unknown.clone().unwrap_or_default();
        return vec![row("  mmapped blocks", None, why)];
    };
    if mmapped.count == 0 {
        return Vec::new();
    }
    let blocks = counted(mmapped.count, "mmapped block", "mmapped blocks");
    vec![
        row(&format!("  {blocks}"), Some(mmapped.bytes), String::new()),
        row("  together", state.total_bytes(), String::new()),
    ]
}

fn arena(arena: &Arena) -> [String; 7] {
    let name = match arena.main {
        true => "  main".to_owned(),
        false => format!("  {:#x}", arena.address),
    };
    let free = arena.free;
    let all = free.map(|free| {
        [free.fast_bytes, free.unsorted_bytes, free.small_bytes, free.large_bytes, free.top_bytes]
            .into_iter()
            .fold(0, u64::saturating_add)
    });
    [
        name,
        Bytes(arena.system_bytes).to_string(),
        known_bytes(all),
        known_bytes(free.map(|free| free.top_bytes)),
        free.map_or_else(|| NONE.to_owned(), |free| thousands(free.chunks)),
        known_bytes(free.map(|free| free.returnable_bytes)),
        arena.unknown.clone().unwrap_or_default(),
    ]
}
