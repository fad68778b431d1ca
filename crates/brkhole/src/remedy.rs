//! What this command knows beyond what the calls tell: of files, and of whose memory it is.

mod arenas;
mod bundle;
mod mappings;

use heap_meter::finding::Finding;
use heap_meter::story::Story;
use heap_meter::trace::Trace;

use crate::trim;
pub(crate) use bundle::{NGINX, PRELOAD};

/// Adds to the findings what is known of the files that they name, and of who had the memory.
pub(crate) fn add_to(trace: &mut Trace, story: &Story) {
    bundle::tell(trace, story);
    mappings::tell(trace);
    arenas::tell(trace);
}

/// Says of a process whose system calls are filtered, before it is tried, that `brkhole trim` wants
/// to be allowed there, and what is risked.
pub(crate) fn behind_a_filter(findings: &mut [Finding], pid: i32) {
    const TRIM: &str = "brkhole trim ";
    if !trim::is_filtered(pid) {
        return;
    }
    let remedies = findings
        .iter_mut()
        .filter_map(|found| found.remedy.as_mut());
    for remedy in remedies.filter(|remedy| remedy.contains(TRIM)) {
        let allowed = remedy.replace(TRIM, "brkhole trim --allow-seccomp ");
        *remedy = format!("{allowed} {ITS_RISK}");
    }
}

const ITS_RISK: &str = "Its system calls are filtered (seccomp), so trim refuses without \
    --allow-seccomp: a container's usual filter permits madvise, munmap, brk and futex, but one that \
    kills at one of them would end the program.";

/// Says that the blocker is the one that the user asked for.
pub(crate) fn own_hole(findings: &mut [Finding]) {
    for finding in findings
        .iter_mut()
        .filter(|found| found.kind == "break-blocked")
    {
        finding.remedy = Some("It is the hole that --hole asked for.".to_owned());
    }
}
