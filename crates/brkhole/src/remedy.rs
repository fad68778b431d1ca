//! What this command knows beyond what the calls tell: of files, and of whose memory it is.

mod bundle;
mod mappings;

use heap_meter::finding::Finding;
use heap_meter::story::Story;
use heap_meter::trace::Trace;

pub(crate) use bundle::{NGINX, PRELOAD};

/// Adds to the findings what is known of the files that they name, and of who had the memory.
pub(crate) fn add_to(trace: &mut Trace, story: &Story) {
    bundle::tell(trace, story);
    mappings::tell(trace);
}

/// Says that the blocker is the one that the user asked for.
pub(crate) fn own_hole(findings: &mut [Finding]) {
    for finding in findings
        .iter_mut()
        .filter(|found| found.kind == "break-blocked")
    {
        finding.remedy = Some("It is the hole that --hole asked for.".to_owned());
    }
}
