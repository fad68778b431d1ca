//! Processes that were named: each is held from the first look to the last.

use proc_memory::{Process, Weigher};

use super::inspected::{Survey, UnreadProcess, Why};
use super::look::{Looker, unread};

/// They themselves, not their numbers: a number that is given to another process later is not
/// mistaken for it.
pub(super) struct NamedProcess {
    held: Vec<Weigher>,
    /// Those of which no hold could be taken; told with the first look.
    missed: Vec<UnreadProcess>,
}

impl NamedProcess {
    /// Takes hold of them. One that is named twice is one.
    pub(super) fn new(pids: &[i32]) -> Self {
        let mut named = Self { held: Vec::new(), missed: Vec::new() };
        for (place, &pid) in pids.iter().enumerate() {
            if pids[..place].contains(&pid) {
                continue;
            }
            match Process::open(pid).and_then(Process::thread_group_leader).and_then(Weigher::new) {
                Ok(weigher) => named.held.push(weigher),
                Err(error) => named.missed.push(unread(&error)),
            }
        }
        named
    }

    /// Looks into all that are left. Those that have ended are told of once and not looked for
    /// again.
    pub(super) fn look(&mut self, looker: &mut Looker, mut go_on: impl FnMut() -> bool) -> Survey {
        let mut survey = Survey { unread: std::mem::take(&mut self.missed), ..Survey::default() };
        self.held.retain_mut(|weigher| {
            if !go_on() {
                return true;
            }
            match looker.at(weigher) {
                Ok(inspected) => {
                    survey.processes.push(inspected);
                    true
                }
                Err(unread) => {
                    let ended = matches!(unread.why, Why::Gone | Why::Zombie);
                    survey.unread.push(unread);
                    !ended
                }
            }
        });
        survey
    }

    pub(super) fn is_empty(&self) -> bool {
        self.held.is_empty()
    }
}
