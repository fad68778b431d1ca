//! Who holds most of a process's memory, where nothing of it could simply be given back.

use human_text::Bytes;
use memory_account::{Account, Kind};

use crate::finding::{Finding, Severity};

/// Of a smaller process it isn't worth a word.
const WORTH_TELLING_BYTES: u64 = 64 << 20;
const WORTH_TELLING_SHARE: f64 = 0.5;
/// As of glibc's malloc.
const WORTH_GIVING_BYTES: u64 = 16 << 20;

/// That one owner has most of it.
pub(super) fn held(account: &Account, pid: i32) -> Option<Finding> {
    let rss = account.rss_bytes();
    let most = account.rows.iter().max_by_key(|row| row.rss_bytes)?;
    let share = most.rss_bytes as f64 / rss.max(1) as f64;
    if rss < WORTH_TELLING_BYTES || share < WORTH_TELLING_SHARE {
        return None;
    }
    let grows = format!("`brkhole trace --pid {pid}` tells who asks for more");
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
        Kind::Allocator
            if most.returnable_bytes.is_some_and(|bytes| bytes >= WORTH_GIVING_BYTES) =>
        {
            (
                "It keeps what it would give back.",
                format!(
                    "{} of it: `brkhole trim {pid}`, or what it offers for that.",
                    Bytes(most.returnable_bytes.unwrap_or(0))
                ),
            )
        }
        Kind::Runtime | Kind::Allocator => (
            "It is not glibc's, so malloc_trim doesn't reach it.",
            "Ask the runtime's or the allocator's own statistics what of it is in use.".to_owned(),
        ),
        Kind::Unknown => ("Nothing tells whose it is.", format!("{grows}.")),
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
