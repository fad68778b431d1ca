//! What follows from the stories.

mod grown;
mod refused_break;
mod refused_memory;
mod repeated;

pub use repeated::repeated_reading;

use crate::finding::{Finding, Severity};
use heap_growth::Story;

/// What follows from a watched run, the most telling first.
///
/// Each finding looks at what was told and says what it means, on what evidence, and what to do; or
/// it is silent. Thresholds are named where they are used.
pub fn trace_findings(story: &Story) -> Vec<Finding> {
    let mut findings = Vec::new();
    let (fatal, survived): (Vec<_>, Vec<_>) = refused_memory::find(story)
        .into_iter()
        .partition(|finding| finding.severity == Severity::Critical);
    findings.extend(fatal);
    findings.extend(repeated::files(story));
    findings.extend(survived);
    findings.extend(refused_break::find(story));
    findings.extend(repeated::readings(story));
    findings.extend(grown::kept(story));
    findings.extend(grown::grown_otherwise(story));
    findings
}

#[cfg(test)]
mod tests;
