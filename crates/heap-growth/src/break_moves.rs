//! Which way the break was to go.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use memory_event::{Call, Event, Sink, Syscall, What};
use rustc_hash::FxBuildHasher;

/// Counts `brk` calls by where they wanted the break, over all processes. In JSON:
/// `{"to_grow":3,"to_shrink":1}`.
///
/// Calls that asked for what was there already, `brk(0)` among them, are in neither, nor is the first
/// call of a process whose break isn't known yet.
///
/// A `brk` that asks for more and one that gives back are the same call. Two mallocs that took the
/// same memory may differ much in how often they gave a page back and took it again, so that the
/// number of calls alone says little about what was needed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct BreakMoves {
    /// Calls that asked for a higher break, granted or refused.
    pub to_grow: u64,
    /// Calls that asked for a lower break.
    pub to_shrink: u64,
    /// Where it is, by pid.
    #[serde(skip)]
    breaks: HashMap<i32, u64, FxBuildHasher>,
}

impl BreakMoves {
    fn moved(&mut self, pid: i32, call: &Call) {
        // The call never fails with an error; its result is where the break is now.
        let Ok(now) = call.result else { return };
        let asked = call.args[0];
        match self.breaks.insert(pid, now) {
            Some(before) if asked > before => self.to_grow += 1,
            Some(before) if asked != 0 && asked < before => self.to_shrink += 1,
            _ => {}
        }
    }
}

impl Sink for BreakMoves {
    fn take(&mut self, event: &Event) {
        match &event.what {
            What::Call(call) if call.syscall == Syscall::Brk => self.moved(event.pid, call),
            What::Forked { child, thread: false } => {
                if let Some(inherited) = self.breaks.get(&event.pid).copied() {
                    self.breaks.insert(*child, inherited);
                }
            }
            What::Exec { .. } => {
                self.breaks.remove(&event.pid);
            }
            What::Exited(_) if event.tid == event.pid => {
                self.breaks.remove(&event.pid);
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use memory_event::Ending;
    use std::time::Duration;

    fn event(pid: i32, what: What) -> Event {
        let at = Duration::ZERO;
        Event::new(pid, pid, at, what)
    }

    fn brk(pid: i32, asked: u64, now: u64) -> Event {
        let call = Call::new(Syscall::Brk, [asked, 0, 0, 0, 0, 0], Ok(now));
        event(pid, What::Call(call))
    }

    fn told(events: impl IntoIterator<Item = Event>) -> BreakMoves {
        let mut moves = BreakMoves::default();
        for event in events {
            moves.take(&event);
        }
        moves
    }

    #[test]
    fn growth_refused_or_not_and_what_is_given_back_are_told_apart() {
        let moves = told([
            brk(1, 0, 0x5000),
            brk(1, 0x8000, 0x8000),
            brk(1, 0x9000, 0x8000),
            brk(1, 0x7000, 0x7000),
            brk(1, 0, 0x7000),
            brk(1, 0x7000, 0x7000),
        ]);
        assert_eq!((moves.to_grow, moves.to_shrink), (2, 1));
    }

    #[test]
    fn a_forked_process_has_its_parents_break_and_an_executed_program_its_own() {
        let fork = What::Forked { child: 2, thread: false };
        let exec = What::Exec { by: Syscall::Execve, former_tid: 2 };
        let moves = told([
            brk(1, 0, 0x5000),
            event(1, fork),
            brk(2, 0x8000, 0x8000),
            event(2, exec),
            brk(2, 0, 0x1000),
            brk(2, 0x2000, 0x2000),
            event(2, What::Exited(Ending::Code(0))),
            brk(1, 0x4000, 0x4000),
        ]);
        assert_eq!((moves.to_grow, moves.to_shrink), (2, 1));
        assert_eq!(moves.breaks.len(), 1, "who is gone is forgotten");
    }
}
