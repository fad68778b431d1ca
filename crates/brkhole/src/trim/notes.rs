//! What a trim could not give back, and what is odd about what it did.

use human_text::Bytes;

use super::attempt::Trimmed;

/// Differences below this are told by nobody: page tables, the stack that the call took.
const SMALL_BYTES: u64 = 256 << 10;

pub(super) fn of(trimmed: &Trimmed) -> Vec<String> {
    let weighed = &trimmed.weighed;
    let (before, after) = (weighed.before, weighed.after);
    let mut notes = Vec::new();
    let returned = weighed.returned_bytes();
    match weighed.shared_bytes() {
        Some(shared) if is_worth_a_word(shared, returned) => notes.push(format!(
            "{} of it are pages that another process still has (parent and child after a fork): \
             the machine gets them back only when that one gives them back, too",
            Bytes(shared)
        )),
        None if returned > SMALL_BYTES => notes.push(
            "how much of it another process still has isn't known: when it was let go, it ended or \
             executed another program"
                .to_owned(),
        ),
        Some(_) | None => {}
    }
    if let Some(less) = trimmed
        .malloc
        .returnable_bytes
        .map(|predicted| predicted.saturating_sub(returned))
        .filter(|less| is_worth_a_word(*less, less + returned))
    {
        notes.push(format!(
            "{} less than predicted were given back: pages that are locked into memory (mlock) \
             or huge stay, as do those that the program has taken since it was looked at",
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

/// Whether a part is worth a word.
fn is_worth_a_word(part: u64, whole: u64) -> bool {
    part > SMALL_BYTES && part > whole / 100
}
