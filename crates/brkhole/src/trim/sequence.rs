//! One process from the first look to its report.

use heap_meter::address_space::AddressSpace;
use heap_meter::malloc::{Examination, Unknown};
use heap_meter::process::Process;
use heap_meter::snapshot::Snapshot;
use remote_call::Options;

use super::allocator;
use super::attempt::{self, Attempt, Subject, Tools, Trimmed};
use super::interruption::Interruption;
use super::library::Library;
use super::notes;
use super::pause::Pauses;
use super::report::{Outcome, Report};
use super::rollup::Weight;
use super::scale::Scale;
use super::status::Status;
use super::words::{gave_up, locked, not_verified, told};
use crate::cli::TrimArguments;

/// A heap that can't be read although nothing moves won't get better.
const MOST_UNKNOWN: u32 = 3;

/// Trims a process, or tells what that would do.
pub(super) fn run(
    pid: i32,
    arguments: &TrimArguments,
    tools: &mut Tools,
    interruption: &Interruption,
) -> Report {
    let report = Report::new(pid);
    let process = match Process::open(pid) {
        Ok(process) => process,
        Err(error) => return report.ended(Outcome::Refused, error.to_string()),
    };
    let looked = look(report, &process, tools);
    match looked {
        Err(report) => *report,
        Ok(looked) if arguments.dry_run => predicted(looked),
        Ok(looked) => trimmed(looked, &process, arguments, tools, interruption),
    }
}

/// A process that has been looked at while it ran.
struct Looked {
    report: Report,
    examination: Examination,
    /// Why a real trim would be refused now.
    refusal: Option<String>,
}

fn look(mut report: Report, process: &Process, tools: &mut Tools) -> Result<Looked, Box<Report>> {
    let pid = process.pid();
    let refused = |report: Report, why: String| Err(Box::new(report.ended(Outcome::Refused, why)));
    let status = match Status::of(pid) {
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
    let examination = tools.examiner.examine(process);
    report.allocator = examination.allocator.as_ref().map(ToString::to_string);
    report.rss_before_bytes = Some(before.rss_bytes);
    report.private_before_bytes = Some(before.private_bytes);
    if let Some(why) = examination.allocator.as_ref().and_then(allocator::refusal) {
        return refused(report, why);
    }
    if let Ok(malloc) = &examination.state {
        report.predicted_bytes = malloc.returnable_bytes;
        report.malloc_before = Some(malloc.clone());
    }
    Ok(Looked {
        report,
        refusal: status.refusal(),
        examination,
    })
}

/// `--dry-run`.
fn predicted(looked: Looked) -> Report {
    let Looked {
        mut report,
        examination,
        refusal,
    } = looked;
    if let Some(why) = refusal {
        let note = format!("without --dry-run it would be refused now: {why}");
        report.notes.push(note);
    }
    match examination.state {
        Err(unknown) => report.ended(Outcome::Refused, unknown.to_string()),
        Ok(malloc) if malloc.returnable_bytes.is_none() => {
            report.ended(Outcome::Refused, attempt::flaw(&malloc))
        }
        Ok(_) => {
            report.outcome = Outcome::Predicted;
            report
                .notes
                .push("dry run: it was neither stopped nor changed".to_owned());
            report
        }
    }
}

fn trimmed(
    looked: Looked,
    process: &Process,
    arguments: &TrimArguments,
    tools: &mut Tools,
    interruption: &Interruption,
) -> Report {
    let pid = process.pid();
    let Looked {
        mut report,
        examination,
        refusal,
    } = looked;
    if let Some(why) = refusal {
        return report.ended(Outcome::Refused, why);
    }
    if let Err(error) = tools.stacks.learn(pid) {
        return report.ended(
            Outcome::Refused,
            format!("can't read its mappings: {error}"),
        );
    }
    if let Err(unknown) = &examination.state
        && (examination.allocator.is_none() || is_lasting(unknown))
    {
        return report.ended(Outcome::Refused, unknown.to_string());
    }
    let space = AddressSpace::of_process(process).map_err(anyhow::Error::from);
    let library = match space.and_then(|space| Library::of(pid, &space, &tools.stacks)) {
        Ok(library) => library,
        Err(error) => return report.ended(Outcome::Refused, format!("{error:#}")),
    };
    let mut scale = match Scale::of(pid, tools.counters_are_exact) {
        Ok(scale) => scale,
        Err(error) => {
            return report.ended(Outcome::Refused, format!("it can't be weighed: {error}"));
        }
    };
    let options = Options::default().allow_seccomp(arguments.allow_seccomp);
    let mut pauses = Pauses::new(arguments.patience);
    let mut unknown = 0;
    loop {
        let mut subject = Subject {
            process,
            scale: &mut scale,
            library: &library,
            options,
        };
        let (attempt, held) = attempt::attempt(&mut subject, tools);
        if let Some(held) = held {
            report.stood_still(held.as_secs_f64());
        }
        let why = match attempt {
            Attempt::Trimmed(trimmed) => return done(report, *trimmed, process, tools),
            Attempt::Refused(why) => return report.ended(Outcome::Refused, why),
            Attempt::Failed(why) => return report.ended(Outcome::Failed, why),
            Attempt::Inside(standing) => told(pid, &standing, tools),
            Attempt::Locked(arenas) => locked(arenas),
            Attempt::Restless(why) => why,
            Attempt::Unknown(why) => {
                unknown += 1;
                if unknown == MOST_UNKNOWN {
                    return report.ended(Outcome::Refused, not_verified(&why));
                }
                why
            }
        };
        report.waited_for(&why);
        let Some(pause) = pauses.next() else {
            let reason = gave_up(&report, arguments.patience);
            return report.ended(Outcome::GaveUp, reason);
        };
        if let Some(signal) = interruption.after(pause) {
            let reason = format!("signal {signal} came before there was a good moment");
            return report.ended(Outcome::GaveUp, reason);
        }
    }
}

/// Whether there is no use in another look at a process that stands still.
fn is_lasting(unknown: &Unknown) -> bool {
    !matches!(
        unknown,
        Unknown::Form(_) | Unknown::AtWork(_) | Unknown::Process(_) | Unknown::Exec
    )
}

/// What no other process has mapped, before and after.
fn private(walked: Option<[Weight; 2]>) -> [Option<u64>; 2] {
    walked.map_or([None; 2], |both| {
        both.map(|weight| Some(weight.private_bytes))
    })
}

fn done(mut report: Report, trimmed: Trimmed, process: &Process, tools: &mut Tools) -> Report {
    let weighed = trimmed.weighed;
    report.outcome = Outcome::Trimmed;
    report.predicted_bytes = trimmed.malloc.returnable_bytes;
    report.rss_before_bytes = Some(weighed.before.rss_bytes);
    report.rss_after_bytes = Some(weighed.after.rss_bytes);
    report.returned_bytes = Some(weighed.returned_bytes());
    let [before, after] = private(weighed.walked);
    report.private_before_bytes = before;
    report.private_after_bytes = after;
    report.call_seconds = Some(trimmed.call.as_secs_f64());
    report.threads = Some(trimmed.threads);
    report.notes.extend(notes::of(&trimmed));
    report.malloc_before = Some(trimmed.malloc);
    report.notes.extend(trimmed.notes);
    match tools.examiner.examine(process).state {
        Ok(malloc) => report.malloc_after = Some(malloc),
        Err(unknown) => report.notes.push(format!(
            "malloc's state could not be read again while the process ran on: {unknown}"
        )),
    }
    report
}
