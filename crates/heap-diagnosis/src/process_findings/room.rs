//! How far the break can grow, and what ends its way.

use super::case::{Case, LARGE_BYTES};
use crate::finding::{Finding, Severity};
use crate::remedies;
use human_text::Bytes;
use proc_memory::{GLIBC_GROWTH_STEP_BYTES, Mapping};

/// The least that glibc's malloc maps when the break is refused (`MMAP_AS_MORECORE_SIZE` in
/// `malloc/malloc.c`).
const FALLBACK_BYTES: u64 = 1 << 20;

/// A limit that would refuse the next growth.
pub(super) fn limited(case: &Case) -> Option<Finding> {
    let (name, limit) = case.state.refusing_limit()?;
    let limit_bytes = limit.limit_bytes;
    // The data limit may hold for the break alone: heap that was made read-only counts for nothing
    // else, and under a limit of 0 memory may be mapped, for Valgrind's sake (may_expand_vm).
    let for_mappings = limit_bytes.saturating_sub(limit.used_bytes);
    let break_alone = limit_bytes == 0 || for_mappings >= FALLBACK_BYTES;
    let message = format!(
        "The break is refused by {name}: {} of {} are in use, and malloc grows its heap by {} at \
         least. {}.",
        Bytes(limit.used_bytes),
        Bytes(limit_bytes),
        Bytes(GLIBC_GROWTH_STEP_BYTES),
        match break_alone {
            true =>
                "A limit of 0 refuses the break alone: malloc takes memory by mmap instead, and \
                     from there free gives none back by itself"
                    .to_owned(),
            false => format!(
                "It holds for what malloc would take by mmap instead, too: allocations fail{}",
                unless_free(case)
            ),
        }
    );
    let severity = match break_alone {
        true => Severity::Warning,
        false => Severity::Critical,
    };
    let (setting, option) = setting(name);
    let finding = Finding::new("break-limited", severity, message)
        .evidence("limit", name)
        .evidence("limit_bytes", limit_bytes)
        .evidence("used_bytes", limit.used_bytes)
        .evidence("left_bytes", limit.left_bytes)
        .remedy(format!(
            "{} In the running process: `prlimit --pid {} --{option}=BYTES`.",
            remedies::raise(setting),
            case.state.pid
        ));
    Some(case.with_break(finding))
}

/// That malloc can still fulfil some from what it has.
fn unless_free(case: &Case) -> String {
    let free = case.malloc.and_then(|malloc| malloc.free_bytes);
    let free = free.filter(|bytes| *bytes >= FALLBACK_BYTES);
    free.map_or_else(String::new, |free| {
        format!(" once they don't fit into the {} that malloc has free", Bytes(free))
    })
}

/// How a limit is set, and what prlimit(1) calls it.
fn setting(name: &str) -> (&'static str, &'static str) {
    match name {
        "RLIMIT_AS" => (remedies::ADDRESS_SPACE_SETTING, "as"),
        _ => (remedies::DATA_SETTING, "data"),
    }
}

/// A mapping that leaves the break no room.
pub(super) fn blocked(case: &Case) -> Option<Finding> {
    let state = case.state;
    let blocker = state.blocker.as_ref().filter(|_| state.blocked)?;
    let distance = match state.room_bytes {
        Some(room) if room > 0 => format!("{} above", Bytes(room)),
        _ => "directly above".to_owned(),
    };
    let gave_up = case.has_given_up();
    let consequence = match gave_up {
        Some(true) => format!(
            "malloc takes its memory by mmap instead{}, and from there free gives none back by \
             itself.",
            case.so_far(),
        ),
        Some(false) => "The next time the heap has to grow, malloc will take memory by mmap \
             instead, and from there free gives none back by itself."
            .to_owned(),
        None if case.break_matters() => "A malloc that grows its heap by the break, as glibc's \
             does, takes memory by mmap instead, and from there free gives none back by itself."
            .to_owned(),
        None => "Nothing in this process has used the break so far.".to_owned(),
    };
    let message = format!(
        "The break is blocked: {} lies {distance} it (break {:#x}){}. {consequence}",
        blocker.described(),
        state.end,
        match state.is_merged() {
            true => ", merged into [heap] by the kernel, so that /proc/PID/maps shows a free break",
            false => "",
        }
    );
    // What free can't give back costs memory; how much, malloc's own figures tell.
    let is_large = case.elsewhere_bytes().is_some_and(|bytes| bytes >= LARGE_BYTES);
    let severity = match gave_up {
        Some(true) if is_large => Severity::Critical,
        _ if case.break_matters() => Severity::Warning,
        _ => Severity::Info,
    };
    let on_purpose = remedies::is_lone_page_at(blocker, state.end);
    let finding = Finding::new("break-blocked", severity, message)
        .evidence("blocker", blocker.told())
        .evidence("lone_page_at_the_break", on_purpose)
        .evidence("merged_into_heap", state.is_merged());
    Some(case.with_break(finding).remedy(remedy_of_block(case, blocker)))
}

fn remedy_of_block(case: &Case, blocker: &Mapping) -> String {
    let find = remedies::against(blocker, case.state.end);
    match case.has_given_up() {
        Some(true) => format!(
            "{find} A greater M_TOP_PAD (mallopt, or MALLOC_TOP_PAD_ in the environment) makes \
             those mmaps fewer. {}",
            remedies::trim(case.state.pid)
        ),
        _ => find,
    }
}

/// Room for the next growth, but not for many.
///
/// A wall that stops the heap before it has doubled is near: heaps grow by doubling, when a
/// configuration is loaded beside the old one or a table is made twice as large. Small heaps double
/// all the time, so that there must be room for [`LARGE_BYTES`] at least. On a 64-bit machine the
/// kernel leaves an ordinary program terabytes, and a 32-bit one hundreds of MiB.
pub(super) fn near_wall(case: &Case) -> Option<Finding> {
    let state = case.state;
    if state.blocked || state.limited || state.tunable.is_some() || !case.break_matters() {
        return None;
    }
    by_mapping(case).or_else(|| by_limit(case))
}

fn by_mapping(case: &Case) -> Option<Finding> {
    let state = case.state;
    let growable = state.growable_bytes?;
    let blocker = state.blocker.as_ref()?;
    if growable >= state.segment_bytes.max(LARGE_BYTES) {
        return None;
    }
    let message = format!(
        "The break is near its wall: a heap of {} has room for {} more, up to {}. Beyond that \
         malloc takes memory by mmap, and from there free gives none back by itself.",
        Bytes(state.segment_bytes),
        Bytes(growable),
        blocker.described(),
    );
    let finding = Finding::new("break-near-wall", Severity::Warning, message)
        .evidence("wall", "mapping")
        .evidence("blocker", blocker.told())
        .remedy(remedies::against(blocker, state.end));
    Some(case.with_break(finding))
}

/// A limit is there to be come near to, so that only its last tenth is told of.
fn by_limit(case: &Case) -> Option<Finding> {
    let (name, limit) = case.state.limits.tightest()?;
    let (limit_bytes, left_bytes) = (limit.limit_bytes, limit.left_bytes);
    if left_bytes >= limit_bytes / 10 {
        return None;
    }
    let message = format!(
        "The break is near {name}: {} of {} are in use, which leaves {}. Then malloc's \
         allocations fail.",
        Bytes(limit.used_bytes),
        Bytes(limit_bytes),
        Bytes(left_bytes),
    );
    let finding = Finding::new("break-near-wall", Severity::Warning, message)
        .evidence("wall", name)
        .evidence("limit_bytes", limit_bytes)
        .evidence("used_bytes", limit.used_bytes)
        .evidence("left_bytes", left_bytes)
        .remedy(remedies::raise(setting(name).0));
    Some(case.with_break(finding))
}
