//! Room for the next growth, but not for many.

use super::case::{Case, LARGE_BYTES};
use super::limited;
use crate::finding::{Finding, Severity};
use crate::remedies;
use human_text::Bytes;

/// A wall that stops the heap before it has doubled is near: heaps grow by doubling, when a
/// configuration is loaded beside the old one or a table is made twice as large. Small heaps double
/// all the time, so that there must be room for [`LARGE_BYTES`] at least. On a 64-bit machine the
/// kernel leaves an ordinary program terabytes, and a 32-bit one hundreds of MiB.
pub(super) fn find(case: &Case) -> Option<Finding> {
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
        .remedy(remedies::raise(limited::setting(name).0));
    Some(case.with_break(finding))
}
