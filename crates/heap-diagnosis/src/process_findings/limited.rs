//! A limit that would refuse the next growth.

use super::case::Case;
use crate::finding::{Finding, Severity};
use crate::remedies;
use human_text::Bytes;
use procmem::GLIBC_GROWTH_STEP_BYTES;

/// The least that glibc's malloc maps when the break is refused (`MMAP_AS_MORECORE_SIZE` in
/// `malloc/malloc.c`).
const FALLBACK_BYTES: u64 = 1 << 20;

pub(super) fn find(case: &Case) -> Option<Finding> {
    let (name, limit) = case.state.refusing_limit()?;
    let limit_bytes = limit.limit_bytes;
    // The data limit may hold for the break alone: heap that was made read-only counts for nothing
    // else, and under a limit of 0 memory may be mapped, for Valgrind's sake (may_expand_vm).
    let for_mappings = limit_bytes.saturating_sub(limit.used_bytes);
    let break_alone = limit_bytes == 0 || for_mappings >= FALLBACK_BYTES;
    let message = format!(
        "The break is refused by {name}: {} of {} are in use, and malloc grows its heap by {} at \
         least. {}",
        Bytes(limit.used_bytes),
        Bytes(limit_bytes),
        Bytes(GLIBC_GROWTH_STEP_BYTES),
        match break_alone {
            true =>
                "A limit of 0 refuses the break alone: malloc takes memory by mmap instead, and \
                     from there free gives none back by itself.",
            false => "It holds for what malloc would take by mmap instead, too: allocations fail.",
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

/// How a limit is set, and what prlimit(1) calls it.
pub(super) fn setting(name: &str) -> (&'static str, &'static str) {
    match name {
        "RLIMIT_AS" => (remedies::ADDRESS_SPACE_SETTING, "as"),
        _ => (remedies::DATA_SETTING, "data"),
    }
}
