//! What malloc's own books say: that it gave up on the break, what isn't its own, what it keeps.

use super::case::Case;
use crate::finding::{Finding, Severity};
use crate::remedies;
use human_text::{Bytes, counted};
use memory_account::{Account, Kind};
use proc_memory::page_size_bytes;
use ptmalloc::{Free, HeapState};

/// Memory in `[heap]` that isn't malloc's, above malloc's.
///
/// From outside two things look like this: a mapping at the break that the kernel has merged into
/// `[heap]`, so that brk is refused from now on, and a break that the program has moved by itself.
/// Once malloc has been refused, its own books tell one from the other.
pub(super) fn beyond(case: &Case) -> Option<Finding> {
    let state = case.state;
    let beyond = case.malloc?.beyond_top_bytes;
    if state.blocked || beyond < page_size_bytes() || case.has_given_up() != Some(false) {
        return None;
    }
    let end = state.end.saturating_sub(beyond);
    let message = format!(
        "malloc's heap ends at {end:#x}, {} before [heap] does: there lies a mapping at the break, \
         merged into [heap] by the kernel (as a LuaJIT's first memory may be), or memory that the \
         program took by sbrk itself. If it is a mapping, the next brk is refused, though \
         /proc/PID/maps shows room above.",
        Bytes(beyond),
    );
    let finding = Finding::new("heap-beyond-malloc", Severity::Warning, message)
        .evidence("beyond_bytes", beyond)
        .evidence("malloc_end", format!("{end:#x}"))
        .remedy(format!(
            "Ask the process: gdb -p {} -batch -ex 'print (void *) sbrk(0)' prints {end:#x} if a \
             mapping lies there. `brkhole trace --pid {}` names it when the heap has to grow.",
            state.pid, state.pid
        ));
    Some(case.with_break(finding))
}

/// A break that glibc gave up on though nothing blocks it now.
pub(super) fn abandoned(case: &Case) -> Option<Finding> {
    let state = case.state;
    if state.blocked || case.has_given_up() != Some(true) {
        return None;
    }
    let so_far = case.so_far();
    let (severity, cause, why, remedy) = if let Some(tunable) = &state.tunable {
        (
            Severity::Info,
            Some("tunable"),
            format!(
                "the tunable {tunable} was set when it started, with which malloc takes all of its \
                 memory by mmap"
            ),
            format!("If huge pages aren't wanted, start it without {tunable} in GLIBC_TUNABLES."),
        )
    } else if let Some((name, _)) = state.refusing_limit() {
        (Severity::Warning, Some("limit"), format!("{name} refuses it"), remedies::trim(state.pid))
    } else {
        (
            Severity::Warning,
            None,
            "whatever refused it is not to be seen any more (a mapping that has gone, a limit that \
             was raised, memory that was short)"
                .to_owned(),
            format!(
                "What malloc has by mmap stays the program's until it calls malloc_trim(0). {} To \
                 learn what refuses the break, start it under `brkhole trace`.",
                remedies::trim(state.pid)
            ),
        )
    };
    let message = format!(
        "glibc's malloc gave up on the break and took memory by mmap{so_far}, from where free \
         gives none back by itself: {why}."
    );
    let finding = Finding::new("break-abandoned", severity, message)
        .evidence("cause", cause)
        .evidence("tunable", state.tunable.clone());
    Some(case.with_break(finding).remedy(remedy))
}

/// What malloc holds back by design once a block of 8 MiB has been freed: it then leaves a free top
/// of twice that (`mp_.trim_threshold` in `__libc_free`). And a hundred processes that keep less
/// keep no more than 2 GiB together.
const WORTH_RETURNING_BYTES: u64 = 16 << 20;

/// Of a big heap that is in use, so small a part is soon taken again; then giving it back would cost
/// page faults and spare nothing.
const WORTH_RETURNING_SHARE: f64 = 0.1;

/// Of what can be given back, less that others share isn't worth a word.
const WORTH_A_WORD_BYTES: u64 = 1 << 20;

/// From so many arenas on, fewer of them are worth a word.
const MANY_ARENAS: usize = 4;

/// Freed memory that malloc keeps and could give back.
pub(super) fn returnable(case: &Case, account: Option<&Account>) -> Option<Finding> {
    let malloc = case.malloc?;
    let returnable = malloc.returnable_bytes?;
    let share = returnable as f64 / malloc.system_bytes.max(1) as f64;
    if returnable < WORTH_RETURNING_BYTES || share < WORTH_RETURNING_SHARE {
        return None;
    }
    let mut message = format!(
        "malloc keeps {} that are free and that malloc_trim(0) would give back: {:.0} % of the {} \
         that it has from the kernel. {}",
        Bytes(returnable),
        (share * 100.0).min(100.0),
        Bytes(malloc.system_bytes),
        kept_by_free(malloc, returnable),
    );
    let shared = account.map_or(0, |account| returnable.saturating_sub(private_bytes(account)));
    if shared >= WORTH_A_WORD_BYTES {
        message.push_str(&format!(
            " At least {} of it are shared with other processes, as parent and children are after a \
             fork: the machine gets them back once each has given them back.",
            Bytes(shared)
        ));
    }
    let finding = Finding::new("memory-returnable", Severity::Warning, message)
        .evidence("returnable_bytes", returnable)
        .evidence("shared_at_least_bytes", account.map(|_| shared))
        .evidence("free_bytes", malloc.free_bytes)
        .evidence("system_bytes", malloc.system_bytes)
        .evidence("pinned_bytes", malloc.pinned_bytes)
        .evidence("arenas", malloc.arenas.len())
        .evidence("non_contiguous", malloc.non_contiguous)
        .remedy(remedy_of_free(malloc, returnable, case.state.pid));
    Some(finding)
}

/// The same of another allocator, as far as its own records tell.
pub(super) fn returnable_of_another(account: &Account, pid: i32) -> Option<Finding> {
    let allocators = account.rows.iter().filter(|row| row.kind == Kind::Allocator);
    let row = allocators.max_by_key(|row| row.returnable_bytes)?;
    let returnable = row.returnable_bytes?;
    let share = returnable as f64 / row.rss_bytes.max(1) as f64;
    if returnable < WORTH_RETURNING_BYTES || share < WORTH_RETURNING_SHARE {
        return None;
    }
    let message = format!(
        "{} keeps {} that are free and that it would give back if it were asked to: {:.0} % of the {} \
         that it has resident.",
        row.owner,
        Bytes(returnable),
        (share * 100.0).min(100.0),
        Bytes(row.rss_bytes),
    );
    let finding = Finding::new("memory-returnable", Severity::Warning, message)
        .evidence("owner", row.owner.clone())
        .evidence("returnable_bytes", returnable)
        .evidence("free_bytes", row.free_bytes)
        .evidence("owner_bytes", row.rss_bytes)
        .remedy(remedies::trim(pid));
    Some(finding)
}

/// What of glibc's heaps is the process's alone.
fn private_bytes(account: &Account) -> u64 {
    let heaps = account.rows.iter().filter(|row| row.kind == Kind::MallocArena);
    heaps.map(|row| row.private_bytes).sum()
}

/// Freed memory that malloc keeps and can't give back, since chunks in use lie on the same pages.
pub(super) fn pinned(case: &Case) -> Option<Finding> {
    let malloc = case.malloc?;
    let pinned = malloc.pinned_bytes?;
    let share = pinned as f64 / malloc.system_bytes.max(1) as f64;
    if pinned < WORTH_RETURNING_BYTES || share < WORTH_RETURNING_SHARE {
        return None;
    }
    let runs = malloc.runs();
    let locked = sum(malloc, |free| free.locked_bytes);
    let message = format!(
        "malloc keeps {} that are free and resident and that malloc_trim(0) can't give back: {}. \
         A restart gives back that much more than a trim.",
        Bytes(pinned),
        why_pinned(malloc),
    );
    let huge = sum(malloc, |free| free.huge_bytes);
    let remedy = match pinned / 2 {
        half if huge > half => "Pages of hugetlbfs go back with their whole mapping alone: where \
                                that is too much, start it without glibc.malloc.hugetlb=2."
            .to_owned(),
        half if locked > half => {
            "Have the program lock what it needs, not all that it will have (mlockall with \
                 MCL_FUTURE)."
                .to_owned()
        }
        _ => format!(
            "`brkhole trace --pid {}` tells who asks for small pieces that stay: taken together, or \
             before what is freed soon, they pin less.",
            case.state.pid
        ),
    };
    let finding = Finding::new("memory-pinned", Severity::Info, message)
        .evidence("pinned_bytes", pinned)
        .evidence("mixed_pages", runs.mixed_pages)
        .evidence("mixed_used_bytes", runs.mixed_used_bytes)
        .evidence("pinning_chunks", runs.pinning.map(|chunks| chunks.count))
        .evidence("locked_bytes", locked)
        .evidence("huge_bytes", huge)
        .evidence("returnable_bytes", malloc.returnable_bytes)
        .remedy(remedy);
    Some(finding)
}

fn sum(malloc: &HeapState, of: fn(&Free) -> u64) -> u64 {
    malloc.arenas.iter().filter_map(|arena| arena.free.as_ref()).map(of).sum()
}

/// What keeps free memory from going back, for a sentence that says how much: `they share …`.
#[must_use]
pub fn why_pinned(malloc: &HeapState) -> String {
    let runs = malloc.runs();
    let mut text = String::new();
    for (bytes, why) in [
        (sum(malloc, |free| free.locked_bytes), "locked into memory (mlock)"),
        (sum(malloc, |free| free.huge_bytes), "pages of hugetlbfs, which don't go back singly"),
    ] {
        if bytes > 0 {
            text += &format!("{} of them are {why}; ", Bytes(bytes));
        }
    }
    text += if text.is_empty() { "they" } else { "the others" };
    text += &format!(
        " share {} with chunks in use ({} of them are",
        counted(runs.mixed_pages, "page", "pages"),
        Bytes(runs.mixed_used_bytes)
    );
    if let Some(chunks) = runs.pinning.filter(|chunks| chunks.count > 0) {
        // None are looked for where much in use lies together, nor before the first run.
        text += &format!("; at least {}", counted(chunks.count, "chunk", "chunks"));
        if let Some(bytes) = chunks.half_below_bytes() {
            text += &format!(", half of those smaller than {}", Bytes(bytes));
        }
    }
    text.push(')');
    if malloc.arenas.len() > 1 {
        text += ", or are the top of a thread's arena";
    }
    text
}

/// Why free() hasn't given it back (`systrim` and `heap_trim` in `malloc/malloc.c`).
fn kept_by_free(malloc: &HeapState, returnable: u64) -> String {
    let all = || malloc.arenas.iter().filter_map(|arena| arena.free);
    let top: u64 = all().map(|free| free.top_bytes).sum();
    let chunks: u64 = all().map(|free| free.chunks).sum();
    match malloc.free_bytes.unwrap_or(0).saturating_sub(top) {
        below if below > returnable / 2 => format!(
            "free() shrinks a heap from its end alone, and {} of what is free lie between chunks in \
             use, in {}.",
            Bytes(below),
            counted(chunks, "piece", "pieces"),
        ),
        _ => "It lies at the heap's end, where free() leaves up to M_TRIM_THRESHOLD: twice the \
              largest mmapped block that was freed, 64 MiB at most, and all of it once the break \
              was refused."
            .to_owned(),
    }
}

fn remedy_of_free(malloc: &HeapState, returnable: u64, pid: i32) -> String {
    let in_threads: u64 = malloc
        .arenas
        .iter()
        .filter(|arena| !arena.main)
        .filter_map(|arena| arena.free.map(|free| free.returnable_bytes))
        .sum();
    // Each thread's arena keeps its own.
    let fewer = match malloc.arenas.len() >= MANY_ARENAS && in_threads > returnable / 2 {
        true => {
            " Most of it is in the arenas of other threads: M_ARENA_MAX (mallopt), or \
             MALLOC_ARENA_MAX=2 in the environment of one that can't be changed, makes them fewer."
        }
        false => "",
    };
    format!(
        "Have the program call malloc_trim(0) after it has freed much. {}{fewer}",
        remedies::trim(pid)
    )
}
