//! What follows from the stories.
//!
//! Each finding looks at what was told and says what it means, on what evidence, and what to do; or
//! it is silent. Thresholds are named where they are used.

mod grown_otherwise;
mod kept;
mod refused_break;
mod repeated_file;

use super::whole::Story;
use crate::finding::Finding;

/// Growth below this is not worth a finding: a C library's start alone takes a part of it.
const WORTH_TELLING_BYTES: u64 = 1 << 20;

/// All findings, the most telling first.
pub(super) fn of(story: &Story) -> Vec<Finding> {
    let mut findings = Vec::new();
    findings.extend(repeated_file::find(story));
    findings.extend(refused_break::find(story));
    findings.extend(kept::find(story));
    findings.extend(grown_otherwise::find(story));
    findings
}

#[cfg(test)]
mod tests;
