//! What is done besides at the calls of a run: a hole is punched at the break of every program that is
//! executed, the stack is unwound at every growth.

use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use heap_growth::Growth;
use memory_event::{Event, Syscall, What};
use memory_trace::{AttachOptions, Caller, LaunchOptions};
use proc_unwind::{CopiedStack, Stacks};

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

/// The unwinder of a run. Its hooks are all called on the tracing thread, so nobody ever waits.
#[derive(Clone)]
pub(crate) struct Who {
    stacks: Arc<Mutex<Stacks>>,
}

impl Who {
    pub(crate) fn new() -> Self {
        Self { stacks: Arc::new(Mutex::new(Stacks::new())) }
    }

    fn lock(&self) -> MutexGuard<'_, Stacks> {
        self.stacks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has the stack unwound at every growth of the run. [`forget`](Self::forget) is to be called
    /// when a process has another program, or ends.
    pub(crate) fn asked_by(&self, options: LaunchOptions) -> LaunchOptions {
        let at_growth = self.clone();
        options.at_growth(move |stopped, _| at_growth.lock().of(stopped.pid, stopped.tid))
    }

    /// The same of processes that run already.
    pub(crate) fn asked_of(&self, options: AttachOptions) -> AttachOptions {
        let at_growth = self.clone();
        options.at_growth(move |caller, call| match caller {
            Caller::Stopped(stopped) => at_growth.lock().of(stopped.pid, stopped.tid),
            Caller::Copied { pid, stack } => {
                let mut copy = CopiedStack::new(stack.registers, &stack.parts);
                copy.resized_bytes = (call.syscall == Syscall::Mremap).then_some(call.args[2]);
                at_growth.lock().copied(pid, copy)
            }
            _ => None,
        })
    }

    /// Has the mappings forgotten of a process's former program.
    pub(crate) fn forget(&self, pid: i32) {
        self.lock().forget(pid);
    }

    /// The same for whoever executes something, or ends.
    pub(crate) fn forgets(&self, event: &Event) {
        match event.what {
            What::Exec { .. } => self.forget(event.pid),
            What::Exited(_) if event.pid == event.tid => self.forget(event.pid),
            _ => {}
        }
    }

    /// What could not be done.
    pub(crate) fn notes(&self) -> Vec<String> {
        self.lock().notes()
    }
}
