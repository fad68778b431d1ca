//! The look at a process while it runs: what trimming it would do, and what stands in the way.

use std::time::{Duration, Instant};

use procmem::Process;
use procmem::Snapshot;
use ptmalloc::{Examination, HeapState};

use super::allocator;
use super::attempt;
use super::foretold;
use super::program::ProgramIdentity;
use super::report::{TrimOutcome, TrimReport};
use super::status::Trimmability;
use super::tools::Tools;
use super::words;
use crate::cli::TrimArguments;

/// A process that has been looked at while it ran.
pub(super) struct TrimLook {
    pub(super) report: TrimReport,
    /// What it ran before all else was looked at.
    pub(super) program: anyhow::Result<ProgramIdentity>,
    pub(super) examination: Examination,
    pub(super) when: Instant,
    /// Why a real trim would be refused now.
    pub(super) refusal: Option<String>,
    pub(super) is_filtered: bool,
    pub(super) threads: u64,
}

/// Looks at it. What it is called and what it has is set in the report; so is, where nothing can be
/// done, the reason.
pub(super) fn look(
    mut report: TrimReport,
    process: &Process,
    tools: &mut Tools,
) -> Result<TrimLook, Box<TrimReport>> {
    let pid = process.pid();
    let refused =
        |report: TrimReport, why: String| Err(Box::new(report.ended(TrimOutcome::Refused, why)));
    let status = match Trimmability::of(pid) {
        Ok(status) => status,
        Err(error) => return refused(report, format!("can't read /proc/{pid}/status: {error}")),
    };
    report.comm = Some(status.comm.clone());
    if let Some(why) = status.hopeless() {
        return refused(report, why);
    }
    let before = match Snapshot::of(pid) {
        Ok(before) => before,
        Err(error) => return refused(report, error.to_string()),
    };
    let program = ProgramIdentity::of(process);
    let (when, examination) = (Instant::now(), tools.examiner.examine(process));
    report.allocator = examination.allocator.as_ref().map(ToString::to_string);
    report.rss_before_bytes = Some(before.rss_bytes);
    report.private_before_bytes = Some(before.private_bytes);
    if let Some(why) = examination.allocator.as_ref().and_then(allocator::refusal) {
        return refused(report, why);
    }
    let threads = process.stat().map_or(1, |stat| stat.threads);
    report.predicted_bytes = None;
    report.predicted_held_seconds = None;
    if let Ok(malloc) = &examination.state {
        report.predicted_bytes = malloc.returnable_bytes;
        report.malloc_before = Some(malloc.clone());
        report.foretells(malloc, threads);
    }
    Ok(TrimLook {
        report,
        program,
        refusal: status.refusal(),
        is_filtered: status.is_filtered(),
        examination,
        when,
        threads,
    })
}

impl TrimReport {
    /// Takes down how long it would stand still.
    pub(super) fn foretells(&mut self, malloc: &HeapState, threads: u64) -> Option<Duration> {
        let is_known = malloc.returnable_bytes.is_some();
        let foretold = is_known.then(|| foretold::hold(malloc, threads));
        self.predicted_held_seconds = foretold.map(|foretold| foretold.as_secs_f64());
        foretold
    }
}

impl TrimLook {
    /// What `--dry-run` tells.
    pub(super) fn predicted(self, arguments: &TrimArguments) -> TrimReport {
        let mut report = self.report;
        let malloc = match self.examination.state {
            Err(unknown) => return report.ended(TrimOutcome::Refused, unknown.to_string()),
            Ok(malloc) => malloc,
        };
        let Some(foretold) = report.foretells(&malloc, self.threads) else {
            return report.ended(TrimOutcome::Refused, attempt::flaw(&malloc));
        };
        report.outcome = TrimOutcome::Predicted;
        let (pid, max_hold) = (report.pid, arguments.max_hold);
        let too_long = (foretold > max_hold).then(|| words::too_long(pid, foretold, max_hold));
        let filtered = self.is_filtered && !arguments.allow_seccomp;
        let filtered = filtered.then(|| words::SECCOMP.to_owned());
        for why in self.refusal.into_iter().chain(filtered).chain(too_long) {
            let note = format!("without --dry-run it would be refused now: {why}");
            report.notes.push(note);
        }
        report.notes.push(format!(
            "dry run: it was neither stopped nor changed; it would stand still for about {}, \
             longer on a busy machine",
            words::seconds(foretold)
        ));
        report
    }
}
