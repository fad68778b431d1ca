//! One process from the first look to its report.

use std::time::{Duration, Instant};

use proc_memory::Process;
use ptmalloc::Unknown;
use remote_call::HoldOptions;

use super::allocators::{self, Offer};
use super::attempt;
use super::inside::How;
use super::library::TrimLibrary;
use super::look::{TrimLook, look, returnable};
use super::pause::{Interruption, Pauses};
use super::refusal::{Refusal, RefusalKind};
use super::report::{TrimOutcome, TrimReport};
use super::scale::Scale;
use super::target::{KnownProgram, TrimAttempt, TrimTarget, Trimmed};
use super::tools::Tools;
use super::words;
use crate::cli::TrimArguments;

/// A heap that can't be read although nothing moves won't get better.
const MOST_UNKNOWN: u32 = 3;
/// What was seen of malloc's lists is good for so long: a process that has to be stopped again and
/// again isn't walked through each time.
const FRESH: Duration = Duration::from_secs(1);

/// Trims a process, or tells what that would do.
pub(super) fn run(
    process: &Process,
    arguments: &TrimArguments,
    tools: &mut Tools,
    interruption: &Interruption,
) -> TrimReport {
    let mut report = TrimReport::new(process.pid());
    let mut sequence = Sequence {
        process,
        arguments,
        tools,
        interruption,
        pauses: Pauses::new(arguments.patience),
        unknown: 0,
    };
    loop {
        let looked = match look(report, process, sequence.tools) {
            Err(report) => return *report,
            Ok(looked) if arguments.dry_run => {
                return looked.predicted(process, sequence.tools, arguments);
            }
            Ok(looked) => looked,
        };
        match sequence.of_one_program(looked) {
            SequenceEnd::With(report) => return *report,
            SequenceEnd::Another(again) => report = *again,
        }
    }
}

/// How the attempts at one program ended.
enum SequenceEnd {
    With(Box<TrimReport>),
    /// The process has become another program, so all has to be looked at anew.
    Another(Box<TrimReport>),
}

fn ended(report: TrimReport, outcome: TrimOutcome, reason: impl Into<Refusal>) -> SequenceEnd {
    SequenceEnd::With(Box::new(report.ended(outcome, reason)))
}

struct Sequence<'a> {
    process: &'a Process,
    arguments: &'a TrimArguments,
    tools: &'a mut Tools,
    interruption: &'a Interruption,
    pauses: Pauses,
    /// So often malloc's state wasn't known although the process stood still.
    unknown: u32,
}

impl Sequence<'_> {
    fn of_one_program(&mut self, looked: TrimLook) -> SequenceEnd {
        let pid = self.process.pid();
        let mut report = looked.report.clone();
        let mut known = match self.known(looked) {
            Ok(known) => known,
            Err(why) => return ended(report, TrimOutcome::Refused, why),
        };
        let options = HoldOptions::default()
            .allow_seccomp(self.arguments.allow_seccomp)
            .interrupted_by(self.interruption.interrupt());
        let mut learnt_just_now = true;
        loop {
            self.renew(&mut known, &mut report);
            let max_hold = self.arguments.max_hold;
            let malloc = known.malloc.as_ref();
            let foretold = match known.library.offer.is_anothers() {
                true => report.foretells_pages(known.threads),
                false => malloc.and_then(|malloc| report.foretells(malloc, known.threads)),
            };
            if let Some(foretold) = foretold.filter(|foretold| *foretold > max_hold) {
                let why = words::too_long(pid, foretold, max_hold);
                return ended(report, TrimOutcome::Refused, why);
            }
            let mut subject = TrimTarget {
                process: self.process,
                known: &mut known,
                learnt_just_now,
                max_hold,
                options: &options,
            };
            let (attempt, held) = attempt::attempt(&mut subject, self.tools);
            learnt_just_now = false;
            if let Some(held) = held {
                report.stood_still(held.as_secs_f64());
            }
            let mut is_another = false;
            let why = match attempt {
                TrimAttempt::Trimmed(trimmed) => {
                    return self.done(report, *trimmed, &known.scale);
                }
                TrimAttempt::Refused(why) => return ended(report, TrimOutcome::Refused, why),
                TrimAttempt::Failed(why) => return ended(report, TrimOutcome::Failed, why),
                TrimAttempt::LeftToItself { tid, called, was_asked } => {
                    let signal = self.interruption.signal().filter(|_| was_asked);
                    let why = words::left_to_itself(tid, called, signal, max_hold);
                    return ended(report, TrimOutcome::Failed, why);
                }
                TrimAttempt::Interrupted => "it was let go".to_owned(),
                TrimAttempt::Another(why) => {
                    is_another = true;
                    why.to_owned()
                }
                TrimAttempt::OtherArenas => {
                    known.malloc = None;
                    "malloc had made another arena since it was looked at".to_owned()
                }
                TrimAttempt::Inside(standing) => {
                    if standing.how == How::Outdated {
                        // Should it have ended, the next attempt says so.
                        learnt_just_now = self.tools.stacks.learn(pid).is_ok();
                    }
                    words::told(pid, &standing, self.tools)
                }
                TrimAttempt::Locked(arenas) => words::locked(arenas),
                TrimAttempt::Restless(why) => why,
                TrimAttempt::Unknown(why) => {
                    self.unknown += 1;
                    if self.unknown == MOST_UNKNOWN {
                        return ended(report, TrimOutcome::Refused, words::not_verified(&why));
                    }
                    why
                }
            };
            if let Some(signal) = self.interruption.signal() {
                return ended(report, TrimOutcome::GaveUp, words::came_too_early(signal));
            }
            report.waited_for(&why);
            let Some(pause) = self.pauses.next() else {
                let reason = words::gave_up(&report, self.arguments.patience);
                return ended(report, TrimOutcome::GaveUp, reason);
            };
            if let Some(signal) = self.interruption.after(pause) {
                return ended(report, TrimOutcome::GaveUp, words::came_too_early(signal));
            }
            if is_another {
                return SequenceEnd::Another(Box::new(report));
            }
        }
    }

    /// Finds out what the attempts need; or why there are none.
    fn known(&mut self, looked: TrimLook) -> Result<KnownProgram, Refusal> {
        if let Some(why) = looked.refusal {
            return Err(why);
        }
        let all = |error| format!("{error:#}");
        let examination = looked.examination;
        let (process, allocator) = (self.process, examination.allocator.as_ref());
        let library = TrimLibrary::of(process, &mut self.tools.stacks, allocator).map_err(all);
        let malloc = match examination.state {
            _ if allocator.and_then(allocators::offer).is_some_and(Offer::is_anothers) => None,
            Ok(malloc) => Some(malloc).filter(|malloc| malloc.returnable_bytes.is_some()),
            Err(unknown) if examination.allocator.is_none() || is_lasting(&unknown) => {
                return Err(RefusalKind::Unverified.told(unknown.to_string()));
            }
            Err(_) => None,
        };
        let program = looked.program.map_err(all)?;
        let scale = Scale::of(process.pid(), self.tools.counters_are_exact);
        Ok(KnownProgram {
            program,
            library: library?,
            scale: scale.map_err(|error| format!("it can't be weighed: {error}"))?,
            malloc,
            when: looked.when,
            threads: looked.threads,
        })
    }

    /// Looks at malloc's lists again where that was too long ago, or in vain.
    fn renew(&mut self, known: &mut KnownProgram, report: &mut TrimReport) {
        let is_glibc = !known.library.offer.is_anothers();
        if (known.malloc.is_some() || !is_glibc) && known.when.elapsed() < FRESH {
            return;
        }
        known.when = Instant::now();
        let examination = self.tools.examiner.examine(self.process);
        if !is_glibc {
            report.predicted_bytes = returnable(self.process, &examination);
        }
        let examined = examination.state.ok().filter(|_| is_glibc);
        known.malloc = examined.filter(|malloc| malloc.returnable_bytes.is_some());
        known.threads = self.process.stat().map_or(known.threads, |stat| stat.threads);
        report.malloc_before.clone_from(&known.malloc);
    }

    fn done(&mut self, mut report: TrimReport, trimmed: Trimmed, scale: &Scale) -> SequenceEnd {
        let weighed = scale.weighed(trimmed.before, trimmed.after);
        report.outcome = TrimOutcome::Trimmed;
        if let Some(malloc) = &trimmed.malloc {
            report.predicted_bytes = malloc.returnable_bytes;
        }
        [report.allocator_before, report.allocator_after] = trimmed.counted;
        let counted = report.allocator_before.map(|counted| counted.returnable_bytes);
        report.predicted_bytes = report.predicted_bytes.or(counted);
        report.rss_before_bytes = Some(weighed.before.rss_bytes);
        report.rss_after_bytes = Some(weighed.after.rss_bytes);
        report.returned_bytes = Some(weighed.returned_bytes());
        report.returned_shared_bytes = weighed.shared_bytes();
        let private = weighed.walked.map(|both| both.map(|weight| weight.private_bytes));
        report.private_before_bytes = private.map(|[before, _]| before);
        report.private_after_bytes = private.map(|[_, after]| after);
        report.call_seconds = Some(trimmed.call.as_secs_f64());
        report.threads = Some(trimmed.threads);
        // What was counted within the hold, the program has changed nothing of.
        let foretold = report.predicted_bytes.map(|bytes| bytes.min(counted.unwrap_or(bytes)));
        let notes = weighed.notes(foretold, super::is_filtered(report.pid));
        report.notes.extend(notes);
        report.notes.extend(trimmed.notes);
        report.malloc_before = trimmed.malloc;
        if report.malloc_before.is_some() {
            match self.tools.examiner.examine(self.process).state {
                Ok(malloc) => report.malloc_after = Some(malloc),
                Err(unknown) => report.notes.push(format!(
                    "malloc's state could not be read again while the process ran on: {unknown}"
                )),
            }
        }
        SequenceEnd::With(Box::new(report))
    }
}

/// Whether there is no use in another look at a process that stands still.
fn is_lasting(unknown: &Unknown) -> bool {
    !matches!(unknown, Unknown::Form(_) | Unknown::AtWork(_) | Unknown::Process(_) | Unknown::Exec)
}
