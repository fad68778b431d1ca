//! How the heap grew without the break, and what stays of that.

use crate::finding::{Finding, Severity};
use heap_growth::{ByKind, GrowthKind, Story};
use human_text::{Bytes, thousands};

/// Growth below this is not worth a finding: a C library's start alone takes a part of it.
pub(super) const WORTH_TELLING_BYTES: u64 = 1 << 20;

/// Memory that free can't give back.
pub(super) fn kept(story: &Story) -> Option<Finding> {
    let kept = story.growth.by_kind()[GrowthKind::Fallback];
    let kept_bytes = u64::try_from(kept).ok()?;
    if kept_bytes < WORTH_TELLING_BYTES {
        return None;
    }
    let running = story.growth.now()[GrowthKind::Fallback];
    let runs_on = running >= WORTH_TELLING_BYTES as i64;
    let message = format!(
        "{} that malloc mapped in place of the refused break ({}) were never given back{}: whatever \
         the program frees of them stays with the process, because free shrinks the heap \
         by the break alone.",
        Bytes(kept_bytes),
        match story.fallback.count() {
            1 => "in 1 mmap".to_owned(),
            count => format!("in {} mmaps", thousands(count)),
        },
        if runs_on { "" } else { " before the end" },
    );
    let finding = Finding::new("memory-kept", Severity::Warning, message)
        .evidence("kept_bytes", kept_bytes)
        .evidence("fallback_bytes", story.fallback.bytes())
        .evidence("fallbacks", story.fallback.count());
    Some(match runs_on {
        true => finding.remedy("Have the program call malloc_trim(0) after it has freed much."),
        // Whether a program that has ended ever freed any of it, no call tells.
        false => finding,
    })
}

/// A kind with a greater share of the heap at its peak is how it grew.
const SHARE: f64 = 0.5;

/// The heap grew, but not by the break.
pub(super) fn grown_otherwise(story: &Story) -> Option<Finding> {
    let peak = story.growth.peak();
    if is_how(&peak, GrowthKind::Arena) {
        Some(arenas(&peak))
    } else if is_how(&peak, GrowthKind::LargeBlock) {
        Some(large_blocks(&peak))
    } else {
        None
    }
}

fn is_how(peak: &ByKind, kind: GrowthKind) -> bool {
    let bytes = peak[kind];
    bytes >= WORTH_TELLING_BYTES as i64 && bytes as f64 > SHARE * heap(peak) as f64
}

/// What malloc may have had: not thread stacks, libraries' data and the like.
fn heap(peak: &ByKind) -> i64 {
    let kinds =
        [GrowthKind::Break, GrowthKind::Fallback, GrowthKind::LargeBlock, GrowthKind::Arena];
    kinds.into_iter().map(|kind| peak[kind]).sum()
}

fn arenas(peak: &ByKind) -> Finding {
    let message = format!(
        "The heap grew by thread arenas rather than by the break: {} of {} at the peak.",
        bytes(peak[GrowthKind::Arena]),
        bytes(heap(peak)),
    );
    // Whether fewer of them would help, what malloc keeps free in them tells, and no call does.
    told("grew-by-arenas", message, peak)
}

fn large_blocks(peak: &ByKind) -> Finding {
    let message = format!(
        "The heap grew by mappings of 128 KiB and more rather than by the break: {} of {} at the \
         peak. They are malloc's large blocks, or the program's or its runtime's own.",
        bytes(peak[GrowthKind::LargeBlock]),
        bytes(heap(peak)),
    );
    told("grew-by-large-blocks", message, peak)
}

fn told(kind: &str, message: String, peak: &ByKind) -> Finding {
    let mut finding = Finding::new(kind, Severity::Info, message);
    for (kind, bytes) in peak.iter() {
        finding = finding.evidence(&format!("peak_{}_bytes", kind.name()), bytes);
    }
    finding
}

fn bytes(number: i64) -> Bytes {
    Bytes(u64::try_from(number).unwrap_or(0))
}
