//! Who holds most of a process's memory, where glibc's malloc doesn't.

use human_text::Bytes;
use memory_account::{Account, Kind};

use crate::finding::{Finding, Severity};

/// Of a smaller process it isn't worth a word.
const WORTH_TELLING_BYTES: u64 = 64 << 20;
const WORTH_TELLING_SHARE: f64 = 0.5;
/// That one owner has most of it.
pub(super) fn held(account: &Account, pid: i32) -> Option<Finding> {
    let rss = account.rss_bytes();
    let is_most =
        |bytes: u64| rss >= WORTH_TELLING_BYTES && bytes as f64 >= WORTH_TELLING_SHARE * rss as f64;
    let grows = format!("`brkhole trace --pid {pid}` tells who asks for more");
    let unknown = account.of_kind(Kind::Unknown);
    if is_most(unknown) {
        return Some(unknown_finding(account, unknown, rss).remedy(format!("{grows}.")));
    }
    let most = account.rows.iter().max_by_key(|row| row.rss_bytes)?;
    if !is_most(most.rss_bytes) {
        return None;
    }
    let (means, remedy) = match most.kind {
        Kind::MallocArena => (
            "Most of it is in use: memory that the program has asked for and not freed.",
            format!("{grows}."),
        ),
        Kind::MallocBlock => (
            "Each is one large allocation in use: free() gives it back at once, so malloc_trim has \
             nothing to give.",
            format!("{grows}, or make whatever keeps them (a cache's size) smaller."),
        ),
        Kind::Runtime | Kind::Allocator => (
            "It is not glibc's, so malloc_trim doesn't reach it.",
            "Ask the runtime's or the allocator's own statistics what of it is in use.".to_owned(),
        ),
        Kind::File | Kind::FileShared => (
            "What wasn't written to the kernel drops by itself when memory is short.",
            String::new(),
        ),
        _ => ("", String::new()),
    };
    let message = format!(
        "Most of its memory, {} of {}, is of one owner: {}. {means}",
        Bytes(most.rss_bytes),
        Bytes(rss),
        most.owner,
    );
    let finding = Finding::new("memory-held", Severity::Info, message.trim_end())
        .evidence("owner", most.owner.clone())
        .evidence("owner_bytes", most.rss_bytes)
        .evidence("free_bytes", most.free_bytes)
        .evidence("returnable_bytes", most.returnable_bytes)
        .evidence("rss_bytes", rss);
    Some(match remedy.is_empty() {
        true => finding,
        false => finding.remedy(remedy),
    })
}

/// That of most it isn't known whose it is.
fn unknown_finding(account: &Account, unknown: u64, rss: u64) -> Finding {
    let rows = account.rows.iter().filter(|row| row.kind == Kind::Unknown);
    let most = rows.max_by_key(|row| row.rss_bytes);
    // There is one row, then, for all of it.
    let likely = most.and_then(|row| row.owner.strip_prefix("unknown, likely "));
    let whose = match likely {
        Some(owner) => format!("is likely {owner}, though nothing in it proves that"),
        None => "has nothing in it that tells whose it is".to_owned(),
    };
    let message = format!("Most of its memory, {} of {}, {whose}.", Bytes(unknown), Bytes(rss));
    Finding::new("memory-held", Severity::Info, message)
        .evidence("owner", "unknown")
        .evidence("owner_bytes", unknown)
        .evidence("rss_bytes", rss)
}
