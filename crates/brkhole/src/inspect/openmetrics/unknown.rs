//! Why malloc isn't known, in few enough words for a label.

use ptmalloc::Unknown;

use super::super::inspected::Inspected;

/// All reasons that are told.
const REASONS: [&str; 13] = [
    "32-bit",
    "arena",
    "architecture",
    "at-work",
    "costly",
    "exec",
    "form",
    "mmapped",
    "not-used",
    "other",
    "other-allocator",
    "several",
    "unreadable",
];

/// How many processes there are for each reason; all reasons are there.
pub(super) fn by_reason(processes: &[Inspected]) -> [(&'static str, usize); REASONS.len()] {
    let reasons: Vec<_> = processes.iter().filter_map(reason).collect();
    REASONS.map(|name| {
        (
            name,
            reasons.iter().filter(|reason| **reason == name).count(),
        )
    })
}

/// Why this process's isn't known in full; `None` if it is.
fn reason(process: &Inspected) -> Option<&'static str> {
    if let Some(state) = &process.malloc {
        // Its other arenas are known, the sum isn't.
        let is_known = state.free_bytes.is_some() && state.returnable_bytes.is_some();
        return match state.mmapped {
            _ if !is_known => Some("arena"),
            None => Some("mmapped"),
            Some(_) => None,
        };
    }
    Some(match &process.malloc_unknown_class {
        Some(Unknown::Other(_)) => "other-allocator",
        Some(Unknown::NotUsed) => "not-used",
        Some(Unknown::Form(_)) => "form",
        Some(Unknown::AtWork(_)) => "at-work",
        Some(Unknown::Several(_)) => "several",
        Some(Unknown::Costly(_)) => "costly",
        Some(Unknown::ThirtyTwoBit) => "32-bit",
        Some(Unknown::Architecture) => "architecture",
        Some(Unknown::Process(_)) => "unreadable",
        Some(Unknown::Exec) => "exec",
        // No malloc that is known, and what is added to them: bounded, whatever comes.
        _ => "other",
    })
}
