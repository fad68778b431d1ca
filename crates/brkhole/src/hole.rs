//! A hole at the break of every program that a run executes: joins the launcher and the hole.

use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use heap_growth::Growth;
use memtrace::LaunchOptions;

/// What became of the holes of a run.
#[derive(Clone, Debug, Default)]
pub(crate) struct Holes {
    seen: Arc<Mutex<ExecSeen>>,
}

#[derive(Debug, Default)]
struct ExecSeen {
    made: u64,
    failed: u64,
    first_failure: Option<String>,
    /// Process and page of those that no story has been told of.
    untold: Vec<(i32, Range<u64>)>,
}

impl Holes {
    /// Has a hole punched at every exec of the run.
    pub(crate) fn punched_by(&self, options: LaunchOptions) -> LaunchOptions {
        let seen = Arc::clone(&self.seen);
        options.at_exec(move |stopped| {
            let outcome = brk_hole::RemoteHole::punch(stopped.tid);
            let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
            match outcome {
                Ok(hole) => {
                    seen.made += 1;
                    seen.untold.push((stopped.pid, hole.range));
                }
                Err(error) => {
                    seen.failed += 1;
                    seen.first_failure.get_or_insert(format!("{error}"));
                }
            }
        })
    }

    /// Tells of the pages that were mapped since this was last done: no event does. To be called
    /// at every event, so that there are never many.
    pub(crate) fn tell(&self, growth: &mut Growth) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        for (pid, page) in seen.untold.drain(..) {
            growth.foreign_page(pid, page);
        }
    }

    /// What to say of them.
    pub(crate) fn notes(&self) -> Vec<String> {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let mut notes = vec![match seen.made {
            1 => "a hole was punched at the break of 1 program".to_owned(),
            made => format!("a hole was punched at the break of {made} programs"),
        }];
        if let Some(why) = &seen.first_failure {
            notes.push(format!(
                "no hole was punched for {} programs, the first because: {why}",
                seen.failed
            ));
        }
        notes
    }
}
