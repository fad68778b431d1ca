//! A look into one process's malloc.

use heap_diagnosis::Finding;
use heap_diagnosis::process_findings;
use heap_meter::trace::{MallocReport, Moment};
use procmem::BreakState;
use procmem::Process;
use ptmalloc::Examiner;

use crate::remedy;

/// Of all that a look may find, what the events of the run haven't told.
const KIND: &str = "memory-returnable";

/// What a look found.
#[derive(Clone, Debug)]
pub(super) struct ExitLook {
    pub(super) report: MallocReport,
    /// Nothing of a process that is ending: it may have freed all that it had just now, on its way
    /// out, and nobody can do anything for it any more.
    pub(super) finding: Option<Finding>,
}

impl ExitLook {
    /// Looks into the process of this number, through whichever of its threads is held.
    pub(super) fn at(examiner: &mut Examiner, process: &Process, pid: i32, when: Moment) -> Self {
        let found = examiner.examine(process);
        let report = MallocReport::of(pid, when, found);
        let finding = match when {
            Moment::Exit => None,
            Moment::EndOfWatching => returnable(process, &report),
        };
        Self { report, finding }
    }

    /// What malloc_trim would give back, or would have given.
    pub(super) fn returnable_bytes(&self) -> u64 {
        let state = self.report.state.as_ref();
        state.and_then(|state| state.returnable_bytes).unwrap_or(0)
    }
}

/// The finding, with the process that it is about.
fn returnable(process: &Process, report: &MallocReport) -> Option<Finding> {
    let heap = BreakState::of(process).ok()?;
    let mut findings = process_findings(&heap, report.state.as_ref());
    findings.retain(|finding| finding.kind == KIND);
    remedy::behind_a_filter(&mut findings, report.pid);
    let mut finding = findings.pop()?;
    finding.message = format!("{}: {}", report.name(), finding.message);
    let comm = report.comm.clone();
    Some(finding.evidence("pid", report.pid).evidence("comm", comm))
}
