//! Words and figures that the tables share.

use std::fs;
use std::os::unix::fs::MetadataExt;

use heap_diagnosis::Finding;
use heap_meter::report::{printable, wrapped};
use human_text::{Bytes, thousands};

use super::inspected::{Inspected, UnreadProcess, Why};

/// What isn't known.
pub(super) const UNKNOWN: &str = "–";

/// A figure, if it is known.
pub(super) fn bytes(bytes: Option<u64>) -> String {
    bytes.map_or_else(|| UNKNOWN.to_owned(), |bytes| Bytes(bytes).to_string())
}

/// A number and what it counts.
pub(super) fn counted(number: usize, one: &str, many: &str) -> String {
    let what = if number == 1 { one } else { many };
    format!("{} {what}", thousands(number as u64))
}

/// How the break is, in one word.
pub(super) fn break_word(process: &Inspected) -> &'static str {
    let kinds = [
        ("break-blocked", "blocked"),
        ("break-limited", "limited"),
        ("break-abandoned", "abandoned"),
        ("break-near-wall", "near-wall"),
    ];
    let found = kinds.iter().find(|(kind, _)| process.has(kind));
    match found {
        Some((_, word)) => word,
        None if process.heap.used == Some(false) => "unused",
        None => "free",
    }
}

/// Whose malloc it is.
pub(super) fn allocator(process: &Inspected) -> String {
    let name = process.allocator.as_deref().unwrap_or("malloc unknown");
    match process.other_allocators.as_slice() {
        [] => name.to_owned(),
        others => format!("{name} (beside it: {})", others.join(", ")),
    }
}

/// A finding with what to do, in lines.
pub(super) fn told(finding: &Finding) -> String {
    wrapped(&format!("• {}", printable(&finding.to_string())))
}

/// How many could not be read, by reason: `3 not permitted (…), 1 ended meanwhile`.
pub(super) fn unread_by_reason(unread: &[UnreadProcess]) -> Option<String> {
    let of = |why| unread.iter().filter(|unread| unread.why == why).count();
    let parts = Why::ALL.into_iter().filter_map(|why| {
        let number = of(why);
        let words = match why {
            Why::Denied if is_root() => "not permitted, though this is root",
            Why::Denied => "not permitted (run this as root: sudo)",
            Why::Gone => "ended meanwhile",
            Why::Zombie => "ended and not yet waited for",
            Why::KernelThread => "of the kernel's own, without memory",
            Why::Other => "for another reason (name it to see which: brkhole inspect PID)",
        };
        (number > 0).then(|| format!("{} {words}", thousands(number as u64)))
    });
    let parts: Vec<String> = parts.collect();
    (!parts.is_empty()).then(|| parts.join(", "))
}

fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0)
}
