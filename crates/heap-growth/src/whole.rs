//! All stories at once.

use std::collections::HashSet;

use super::fallback::Fallback;
use super::growth::Growth;
use super::refused_memory::RefusedMemory;
use super::tally::Tally;
use memory_event::{Ending, Event, Sink, What};
use rustc_hash::FxBuildHasher;

/// Everything that is told of a watched run.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct Story {
    /// Calls and failures.
    pub tally: Tally,
    /// malloc's fallback.
    pub fallback: Fallback,
    /// Who made memory grow.
    pub growth: Growth,
    /// Memory that was refused for good.
    pub refused_memory: RefusedMemory,
    processes: u64,
    killed: u64,
    /// Those that have not ended, as a number may come again.
    living: HashSet<i32, FxBuildHasher>,
    /// The one of them that the last event was of.
    last: Option<i32>,
}

impl Story {
    /// How many processes there were.
    pub fn processes(&self) -> u64 {
        self.processes
    }

    /// How many of them SIGKILL has ended.
    pub fn killed(&self) -> u64 {
        self.killed
    }
}

impl Sink for Story {
    fn take(&mut self, event: &Event) {
        if let What::Forked { child, thread: false } = event.what
            && self.living.insert(child)
        {
            self.processes += 1;
        }
        match event.what {
            What::Exited(ending) if event.pid == event.tid => {
                let by_sigkill = matches!(ending, Ending::Signal { signal: libc::SIGKILL, .. });
                self.killed += u64::from(by_sigkill);
                self.living.remove(&event.pid);
                self.last = None;
            }
            // The end of a thread may be told after that of its process.
            What::Exited(_) => {}
            _ if self.last == Some(event.pid) => {}
            _ => {
                self.processes += u64::from(self.living.insert(event.pid));
                self.last = Some(event.pid);
            }
        }
        self.tally.take(event);
        self.fallback.take(event);
        self.growth.take(event);
        self.refused_memory.take(event, &self.growth);
    }
}
