//! A look into one process's malloc.

use heap_meter::address_space::BreakState;
use heap_meter::diagnosis;
use heap_meter::finding::Finding;
use heap_meter::malloc::Examiner;
use heap_meter::process::Process;
use heap_meter::trace::{MallocReport, Moment};

/// Of all that a look may find, what the events of the run haven't told.
const KIND: &str = "memory-returnable";

/// What a look found.
#[derive(Clone, Debug)]
pub(super) struct Look {
    pub(super) report: MallocReport,
    pub(super) finding: Option<Finding>,
}

impl Look {
    /// Looks into the process of this number, through whichever of its threads is held.
    pub(super) fn at(examiner: &mut Examiner, process: &Process, pid: i32, when: Moment) -> Self {
        let found = examiner.examine(process);
        let report = MallocReport::of(pid, when, found);
        let finding = BreakState::of(process).ok().and_then(|heap| {
            let mut findings = diagnosis::findings(&heap, report.state.as_ref()).into_iter();
            findings.find(|finding| finding.kind == KIND)
        });
        Self {
            finding: finding.map(|finding| named(finding, &report)),
            report,
        }
    }

    /// What malloc_trim would give back, or would have given.
    pub(super) fn returnable_bytes(&self) -> u64 {
        let state = self.report.state.as_ref();
        state.and_then(|state| state.returnable_bytes).unwrap_or(0)
    }
}

/// The finding, with the process that it is about; a run has many. To one that has ended nobody can
/// do anything any more.
fn named(mut finding: Finding, report: &MallocReport) -> Finding {
    let name = report.name();
    let when = match report.when {
        Moment::Exit => " at its exit",
        Moment::EndOfWatching => "",
    };
    finding.message = format!("{name}{when}: {}", finding.message);
    if report.when == Moment::Exit {
        finding.remedy = Some(
            "Have the program call malloc_trim(0) after it has freed much. While one runs that \
             can't be changed, `brkhole trim PID` has it do so."
                .to_owned(),
        );
    }
    let comm = report.comm.clone();
    finding.evidence("pid", report.pid).evidence("comm", comm)
}
