//! `brkhole trim --watch`: whoever keeps more than it may is trimmed, for as long as this runs.
//!
//! Each interval all that are meant are looked at as `inspect --all` does, cheaply and without
//! stopping anybody. [`Schedule`] decides whom to trim; each trim is one of `brkhole trim`.

mod metrics;
mod schedule;

use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use heap_meter::report::printable;
use human_text::{Bytes, Seconds, counted};
use proc_memory::Process;

use crate::cli::TrimArguments;
use crate::inspect::inspected::{Inspected, Survey};
use crate::inspect::{self, openmetrics, scan};
use crate::output::{self, Readers};
use crate::trim::{self, Trimmer};
use metrics::ServiceTotals;
use schedule::{GivenBack, ProcessKey, Schedule, Sighting};

/// Watches until a signal asks for the end, or until all that were named have ended.
pub(crate) fn run(
    arguments: &TrimArguments,
    interval: Duration,
    Bytes(above_bytes): Bytes,
) -> anyhow::Result<ExitCode> {
    output::check_writable([arguments.metrics.as_ref()], None, &[])?;
    let mut named = named(&arguments.processes.pids)?;
    let is_named = !named.is_empty();
    let mut service = Service {
        trimmer: Trimmer::new(arguments)?,
        schedule: Schedule::new(interval, above_bytes),
        totals: ServiceTotals::default(),
    };
    let interrupt = service.trimmer.interruption.interrupt().clone();
    let mut lookers = scan::lookers();
    let meant = |named: &[Process]| match is_named {
        true => Ok(named.iter().map(Process::pid).collect()),
        false => arguments.processes.wanted.pids(),
    };
    // A name that nobody has is as likely misspelt as early.
    let those = counted(meant(&named)?.len() as u64, "process is", "processes are");
    eprintln!("brkhole: {those} watched now; Ctrl-C ends the watching, not them");
    let begun = Instant::now();
    let mut is_first = true;
    loop {
        let now = begun.elapsed();
        // Each is held, so that its number isn't another's as long as it runs.
        named.retain(Process::is_alive);
        let pids = meant(&named)?;
        let over = || interrupt.is_asked();
        let mut survey = inspect::survey(&mut lookers, &pids, &over);
        if is_named && is_first {
            tell_untold(&survey);
        }
        is_first = false;
        service.round(now, &survey);
        let rest = || interval.saturating_sub(begun.elapsed() - now);
        if let Some(path) = &arguments.metrics {
            // Whose memory it is has time until the next look, which waits for nothing.
            scan::account(&mut lookers, &mut survey, rest().min(scan::ACCOUNTS_TIME), &over);
            service.tell(&survey, path);
        }
        let is_over = is_named && named.is_empty();
        if is_over || service.trimmer.interruption.after(rest()).is_some() {
            eprintln!("brkhole: {}", service.totals.told(service.schedule.in_vain));
            return Ok(ExitCode::SUCCESS);
        }
    }
}

/// Says of which of those that were named it isn't known what they keep: they are left alone.
fn tell_untold(survey: &Survey) {
    for unread in &survey.unread {
        eprintln!("brkhole: {}", printable(&unread.told));
    }
    for process in &survey.processes {
        if process.returnable_bytes().is_none()
            && let Some(why) = &process.malloc_unknown
        {
            eprintln!("brkhole: {}: what it keeps isn't known now: {why}", process.name());
        }
    }
}

/// Takes hold of those that were named.
///
/// # Errors
/// When one of them isn't there.
fn named(pids: &[i32]) -> anyhow::Result<Vec<Process>> {
    Ok(pids.iter().map(|&pid| Process::open(pid)).collect::<Result<_, _>>()?)
}

struct Service<'a> {
    trimmer: Trimmer<'a>,
    schedule: Schedule,
    totals: ServiceTotals,
}

impl Service<'_> {
    /// Trims those that are due, one after the other.
    fn round(&mut self, now: Duration, survey: &Survey) {
        self.schedule.forget(now);
        for process in &survey.processes {
            if self.trimmer.interruption.signal().is_some() {
                return;
            }
            let seen = self.sighting(process);
            let in_vain = self.schedule.in_vain;
            let is_due = self.schedule.is_due(now, &seen);
            if self.schedule.in_vain > in_vain {
                let wait = self.left_alone(&seen);
                eprintln!(
                    "brkhole: {}: half of what it gave back is resident again{wait}",
                    process.name()
                );
            }
            if is_due {
                self.one(now, &seen);
            }
        }
    }

    /// How long it is left alone, where that is longer than usual.
    fn left_alone(&self, seen: &Sighting) -> String {
        let wait = self.schedule.backs_off(&seen.key);
        wait.map_or_else(String::new, |wait| {
            format!("; it is left alone for {}", Seconds(wait.as_secs_f64()))
        })
    }

    fn sighting(&mut self, process: &Inspected) -> Sighting {
        let key = ProcessKey { pid: process.pid, started_ticks: process.started_ticks };
        let rss_bytes = process.weight.rss_bytes;
        // The look at all reads glibc's lists alone.
        let may_be_anothers = !process.is_glibcs && rss_bytes > self.schedule.above_bytes;
        let of_another = || self.trimmer.returnable_of_another(&opened(key)?);
        let returnable = process.returnable_bytes();
        let returnable = returnable.or_else(|| may_be_anothers.then(of_another).flatten());
        Sighting { key, rss_bytes, returnable_bytes: returnable.unwrap_or(0) }
    }

    fn one(&mut self, now: Duration, seen: &Sighting) {
        let Some(process) = opened(seen.key) else { return };
        let report = self.trimmer.trim(&process);
        let failure = trim::failure(&report);
        // It was let go for the signal's sake.
        if failure.is_some() && self.trimmer.interruption.signal().is_some() {
            return;
        }
        let given = failure.is_none().then(|| GivenBack {
            returned_bytes: report.returned_bytes.unwrap_or(0),
            rss_after_bytes: report.rss_after_bytes.unwrap_or(seen.rss_bytes),
        });
        self.schedule.attempted(now, seen, given);
        let told = failure.unwrap_or_else(|| trim::gave_back(&report));
        eprintln!("brkhole: {told}{}", self.left_alone(seen));
        self.totals.add(&report);
    }

    /// A file that can't be written now is no reason to begin anew, with all that was learnt forgotten.
    fn tell(&self, survey: &Survey, path: &Path) {
        let mut text = openmetrics::of(survey, inspect::TOP);
        self.totals.write(self.schedule.in_vain, self.schedule.backed_off(), &mut text);
        if let Err(error) = output::to_file_for(Readers::All, path, &text.end()) {
            eprintln!("brkhole: {error:#}");
        }
    }
}

/// The number may be another's by now: that one is for the next look.
fn opened(key: ProcessKey) -> Option<Process> {
    let is_it = |process: &Process| {
        process.stat().is_ok_and(|stat| stat.started_ticks == key.started_ticks)
    };
    Process::open(key.pid).ok().filter(is_it)
}
