//! An arena's header and its top's size, read again together: what nearly every change shows in.

use super::inconsistency::Inconsistency;
use super::malloc_state::MallocState;
use super::memory::{TargetMemory, word};

/// Reads both where they were, and gives the top's size with its flags, as it is in memory; 0 if
/// the arena has no memory.
///
/// A thread that is at work in the arena holds its lock, or has changed the header since it was
/// read: that is found out here for the price of one system call, before anything else is read.
pub(super) fn steady(
    memory: &mut impl TargetMemory,
    header: &MallocState,
) -> Result<u64, Inconsistency> {
    if header.locked() {
        return Err(Inconsistency::Locked);
    }
    let mut places = vec![header.place()];
    places.extend(header.top_size_place());
    let mut bytes = Vec::with_capacity(header.layout.length + 8);
    memory.read(&places, &mut bytes)?;
    let (again, top) = bytes.split_at(header.layout.length.min(bytes.len()));
    same(header, again)?;
    Ok(word(top, 0))
}

/// Whether these bytes, read later, are still that header, and its lock is free.
pub(super) fn same(header: &MallocState, again: &[u8]) -> Result<(), Inconsistency> {
    match MallocState::new(header.layout, header.address, again) {
        Some(again) if again.locked() => Err(Inconsistency::Locked),
        Some(again) if again.same_as(header) => Ok(()),
        _ => Err(Inconsistency::Changed),
    }
}

/// What was found wrong, or that the arena changed meanwhile, which explains anything.
pub(super) fn explained(
    memory: &mut impl TargetMemory,
    header: &MallocState,
    flaw: Inconsistency,
) -> Inconsistency {
    use super::memory::Unreadable::{Beyond, Denied, Gone};
    match flaw {
        Inconsistency::Locked
        | Inconsistency::Changed
        | Inconsistency::TooMany(_)
        | Inconsistency::Unreadable(Gone | Denied | Beyond(_)) => flaw,
        _ => match steady(memory, header) {
            Err(
                change @ (Inconsistency::Locked
                | Inconsistency::Changed
                | Inconsistency::Unreadable(Gone | Denied | Beyond(_))),
            ) => change,
            _ => flaw,
        },
    }
}
