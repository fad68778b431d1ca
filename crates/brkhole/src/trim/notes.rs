//! What a trim could not give back, and what is odd about what it did.

use heap_meter::units::Bytes;

use super::attempt::Trimmed;

/// Differences below this are told by nobody: page tables, the stack that the call took.
const SMALL_BYTES: u64 = 256 << 10;

pub(super) fn of(trimmed: &Trimmed) -> Vec<String> {
    let (before, after) = (&trimmed.before, &trimmed.after);
    let mut notes = Vec::new();
    let returned = before.rss_bytes.saturating_sub(after.rss_bytes);
    let spared = before.private_bytes.saturating_sub(after.private_bytes);
    if let Some(shared) = above(returned, spared) {
        notes.push(format!(
            "{} of it are pages that another process still has (parent and child after a fork): \
             the machine gets them back only when that one gives them back, too",
            Bytes(shared)
        ));
    }
    if let Some(less) = trimmed
        .malloc
        .returnable_bytes
        .and_then(|predicted| above(predicted, returned))
    {
        notes.push(format!(
            "{} less than predicted were given back: pages that are locked into memory (mlock) \
             or huge stay",
            Bytes(less)
        ));
    }
    if before.swap_bytes > 0 {
        let freed = before.swap_bytes.saturating_sub(after.swap_bytes);
        notes.push(format!(
            "{} of it were in swap and no part of the prediction; {} of them were given back, too",
            Bytes(before.swap_bytes),
            Bytes(freed)
        ));
    }
    notes
}

/// By how much one exceeds the other, if that is worth a word.
fn above(one: u64, other: u64) -> Option<u64> {
    let more = one.saturating_sub(other);
    (more > SMALL_BYTES && more > one / 100).then_some(more)
}
