//! What follows from the stories.

mod grown;
mod refused_break;
mod refused_memory;
mod repeated;

use crate::finding::{Finding, Severity};
use heap_growth::{FileGrowth, Story};
use memory_event::Syscall;

/// Growth below this is not worth a finding: a C library's start alone takes a part of it.
const WORTH_TELLING_BYTES: u64 = 1 << 20;

/// Opened less often by one program, a file isn't read "again and again". (That many programs open
/// the same library says nothing.)
const OPENS: u64 = 3;

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

/// What the finding `repeated-reading` says of a file, whether or not its time alone is worth
/// telling: for whoever knows what reading this one costs.
pub fn repeated_reading(story: &Story, file: &FileGrowth) -> Finding {
    repeated::reading_finding(story, file)
}

/// What was read of a file in all, as far as it is known.
fn read_bytes(file: &FileGrowth) -> Option<u64> {
    (file.openings.read_known > 0).then_some(file.openings.read_bytes)
}

/// Whether it is known when a file ceased to be read: a log need not have the calls that tell.
fn closings_are_seen(story: &Story) -> bool {
    story.tally.get(Syscall::Close).calls > 0
}

/// How long a file was being read, where there is a clock.
fn seconds(story: &Story, file: &FileGrowth) -> Option<f64> {
    let clock = story.growth.last_event();
    let clock = clock.filter(|_| closings_are_seen(story));
    clock.map(|_| file.openings.time.as_secs_f64())
}

#[cfg(test)]
mod tests;
