//! What malloc keeps in the processes that are watched: read from outside, as each one ends.
//!
//! A run may have thousands of short processes. Of all but the launched one it is asked first how
//! much memory of its own it holds, which is one short file; only the greatest are looked into, and
//! only they are remembered.

use std::cmp::Reverse;
use std::fs;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use heap_diagnosis::{Finding, process_findings};
use heap_meter::trace::{MallocReport, Moment, Trace};
use human_text::{Bytes, thousands};
use memory_trace::Stopped;
use proc_memory::{BreakState, Process, page_size_bytes};
use proc_unwind::Stacks;
use ptmalloc::{Allocator, Examiner};

use crate::{remedy, trim};

/// So many processes are told of beside the launched one.
const OTHERS: usize = 4;

/// One that holds less of its own isn't looked into.
const WORTH_A_LOOK_BYTES: u64 = 1 << 20;

/// The processes of a run. Its hook is called on the tracing thread alone, so nobody ever waits.
#[derive(Clone, Debug, Default)]
pub(super) struct ExitReports(Arc<Mutex<ExitLooks>>);

#[derive(Debug, Default)]
struct ExitLooks {
    examiner: Examiner,
    /// The launched process, once its program has begun, and what it kept.
    first: Option<i32>,
    launched: Option<ExitLook>,
    /// The greatest of the others and what each held, the greatest first.
    others: Vec<(u64, ExitLook)>,
    /// Processes that were not looked into, or were forgotten for greater ones.
    left_out: u64,
}

impl ExitReports {
    fn lock(&self) -> MutexGuard<'_, ExitLooks> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Says which process is the launched one.
    pub(super) fn launched(&self, pid: i32) {
        self.lock().first = Some(pid);
    }

    /// A process is about to end; its memory is still there.
    pub(super) fn at_exit(&self, stopped: Stopped) {
        self.lock().at_exit(stopped);
    }

    /// What was kept: of the launched process first, then of the others, the greatest first.
    pub(super) fn told(&self) -> ExitHeap {
        let seen = self.lock();
        let others = seen.others.iter().map(|(_, look)| look);
        ExitHeap::of(seen.launched.iter().chain(others).cloned())
    }

    /// What was not looked into.
    pub(super) fn notes(&self) -> Option<String> {
        let seen = self.lock();
        let (left_out, others) = (seen.left_out, seen.others.len());
        let told = match others {
            0 => "the launched process".to_owned(),
            1 => "the launched process and of the other that held most as it ended".to_owned(),
            _ => format!(
                "the launched process and of the {others} others that held most as they ended"
            ),
        };
        let processes = match left_out {
            0 => return None,
            1 => "1 more process".to_owned(),
            several => format!("{} more processes", thousands(several)),
        };
        Some(format!(
            "what malloc kept is told of {told}, not of {processes}: of those that hold less than {} \
             nothing is told, nor of more than {OTHERS}",
            Bytes(WORTH_A_LOOK_BYTES)
        ))
    }
}

impl ExitLooks {
    fn at_exit(&mut self, Stopped { pid, tid }: Stopped) {
        if self.first == Some(pid) {
            self.launched = self.look_into(pid, tid);
            return;
        }
        let Some(held) = own_bytes(tid) else {
            self.left_out += 1;
            return;
        };
        let is_full = self.others.len() == OTHERS;
        let least = self.others.last().filter(|_| is_full);
        if held < WORTH_A_LOOK_BYTES || least.is_some_and(|(least, _)| *least >= held) {
            self.left_out += 1;
            return;
        }
        if let Some(look) = self.look_into(pid, tid) {
            let place = self.others.partition_point(|(other, _)| *other >= held);
            self.others.insert(place, (held, look));
            if self.others.len() > OTHERS {
                self.others.pop();
                self.left_out += 1;
            }
        }
    }

    /// The last thread is the one to ask: the first may have let go of the memory before.
    fn look_into(&mut self, pid: i32, tid: i32) -> Option<ExitLook> {
        let process = Process::open(tid).ok()?;
        let examiner = &mut self.examiner;
        Some(ExitLook::at(examiner, &process, pid, Moment::Exit))
    }
}

/// What is told at the end.
#[derive(Debug, Default)]
pub(super) struct ExitHeap {
    /// A report for each process that was looked into.
    pub(super) reports: Vec<MallocReport>,
    /// Of the process that could give back most, if it runs on and that is worth a word.
    pub(super) finding: Option<Finding>,
}

impl ExitHeap {
    fn of(looks: impl Iterator<Item = ExitLook>) -> Self {
        let looks: Vec<ExitLook> = looks.collect();
        let most = looks.iter().max_by_key(|look| look.returnable_bytes());
        Self {
            finding: most.and_then(|look| look.finding.clone()),
            reports: looks.into_iter().map(|look| look.report).collect(),
        }
    }

    /// Adds it to what is reported.
    pub(super) fn add_to(self, trace: &mut Trace) {
        trace.malloc = Some(self.reports);
        trace.findings.extend(self.finding);
    }
}

/// Memory that is resident and neither a file's nor shared, roughly: the kernel's quick counters.
///
/// # References
/// proc_pid_statm(5): resident and shared, in pages.
fn own_bytes(tid: i32) -> Option<u64> {
    let statm = fs::read_to_string(format!("/proc/{tid}/statm")).ok()?;
    let mut pages = statm.split_ascii_whitespace().skip(1);
    let resident: u64 = pages.next()?.parse().ok()?;
    let shared: u64 = pages.next()?.parse().ok()?;
    Some(resident.saturating_sub(shared) * page_size_bytes())
}

/// What malloc keeps in processes that ran before they were watched and still run, of the
/// [`OTHERS`] + 1 that hold most; and a word of those that weren't looked into.
pub(super) fn at_the_end_of_watching(processes: &[Process]) -> (ExitHeap, Option<String>) {
    let mut living: Vec<_> = processes.iter().filter(|process| process.is_alive()).collect();
    living.sort_by_key(|process| Reverse(own_bytes(process.pid())));
    if living.is_empty() && !processes.is_empty() {
        let why = "what malloc kept isn't known: whoever was watched has ended".to_owned();
        return (ExitHeap::default(), Some(why));
    }
    let left_out = living.len().saturating_sub(OTHERS + 1);
    living.truncate(OTHERS + 1);
    let (mut examiner, when) = (Examiner::new(), Moment::EndOfWatching);
    let looks = living.into_iter();
    let looks = looks.map(|process| ExitLook::at(&mut examiner, process, process.pid(), when));
    let note = (left_out > 0).then(|| {
        format!(
            "what malloc kept is told of the {} processes that held most, not of {left_out} more: \
             `brkhole inspect` tells of any",
            OTHERS + 1
        )
    });
    (ExitHeap::of(looks), note)
}

/// Of all that a look may find, what the events of the run haven't told.
const KIND: &str = "memory-returnable";

/// What a look found.
#[derive(Clone, Debug)]
struct ExitLook {
    report: MallocReport,
    /// Nothing of a process that is ending: it may have freed all that it had just now, on its way
    /// out, and nobody can do anything for it any more.
    finding: Option<Finding>,
}

impl ExitLook {
    /// Looks into the process of this number, through whichever of its threads is held.
    fn at(examiner: &mut Examiner, process: &Process, pid: i32, when: Moment) -> Self {
        let found = examiner.examine(process);
        let allocator = found.allocator.clone();
        let report = MallocReport::of(pid, when, found);
        let runs_on = when == Moment::EndOfWatching;
        let finding = runs_on.then(|| returnable(process, &report, allocator.as_ref())).flatten();
        Self { report, finding }
    }

    /// What malloc_trim would give back, or would have given.
    fn returnable_bytes(&self) -> u64 {
        let state = self.report.state.as_ref();
        state.and_then(|state| state.returnable_bytes).unwrap_or(0)
    }
}

/// The finding, with the process that it is about.
fn returnable(
    process: &Process,
    report: &MallocReport,
    allocator: Option<&Allocator>,
) -> Option<Finding> {
    let heap = BreakState::of(process).ok()?;
    let mut findings = process_findings(&heap, report.state.as_ref(), None);
    findings.retain(|finding| finding.kind == KIND);
    let mut finding = findings.pop()?;
    let refused = trim::refused_for_good(process, allocator, &mut Stacks::new());
    remedy::by_trim(std::slice::from_mut(&mut finding), report.pid, refused.as_deref());
    finding.message = format!("{}: {}", report.name(), finding.message);
    let comm = report.comm.clone();
    Some(finding.evidence("pid", report.pid).evidence("comm", comm))
}
