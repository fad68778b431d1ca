//! Memory that free can't give back.

use super::WORTH_TELLING_BYTES;
use crate::finding::{Finding, Severity};
use heap_growth::GrowthKind;
use heap_growth::Story;
use human_text::{Bytes, thousands};

pub(super) fn find(story: &Story) -> Option<Finding> {
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
