//! One process: its memory, what it is reading, what stands in the way of its break.

use std::time::Duration;

use super::kind::ByKind;
use super::layout::Blocker;
use super::libraries::Libraries;
use super::memory::Memory;
use super::reading::Reading;
use crate::event::{Call, Refusal};
use crate::story::refusals::{self, Cause};

#[derive(Debug, Default)]
pub(super) struct Process {
    pub(super) memory: Memory,
    pub(super) reading: Reading,
    pub(super) libraries: Libraries,
    /// What it asked for and has not given back.
    pub(super) held: ByKind,
    /// The most that this ever was.
    pub(super) greatest_growth_bytes: i64,
    /// When it changed last.
    pub(super) changed_at: Duration,
    pub(super) in_the_way: InTheWay,
}

/// What a process's break could not pass.
#[derive(Debug, Default)]
pub(super) struct InTheWay {
    pub(super) refused_brks: u64,
    pub(super) blocker: Option<Blocker>,
    /// By how much the break was to grow when it was last refused.
    asked_bytes: u64,
}

impl Process {
    pub(super) fn changed(&mut self, at: Duration, by_kind: &ByKind) {
        self.held += by_kind;
        self.changed_at = self.changed_at.max(at);
        self.greatest_growth_bytes = self.greatest_growth_bytes.max(self.held.total());
    }

    /// A `brk` was refused.
    pub(super) fn refused(&mut self, call: &Call) {
        let had = call.result.unwrap_or_default();
        let Some(asked_bytes) = call.args[0].checked_sub(had).filter(|bytes| *bytes > 0) else {
            // One below the present break asks for less, not for more.
            return;
        };
        self.in_the_way.refused_brks += 1;
        self.in_the_way.asked_bytes = asked_bytes;
        if self.in_the_way.blocker.is_none() {
            self.in_the_way.blocker = self.known_blocker(call.args[0]);
        }
    }

    /// `/proc` was read after that.
    pub(super) fn surrounded(&mut self, surroundings: &Refusal) {
        let cause = refusals::cause(surroundings, self.in_the_way.asked_bytes);
        self.in_the_way.blocker = match cause {
            Cause::Blocked(mapping) => Some(Blocker {
                range: mapping.start..mapping.end,
                kind: self.memory.kind_at(mapping.start),
                mapping: Some(mapping),
            }),
            _ => None,
        };
    }

    /// What is in the way of the break; if it was never refused, what lies directly above it.
    pub(super) fn blocker(&self) -> Option<Blocker> {
        let known = || self.known_blocker(self.memory.program_break()?);
        self.in_the_way.blocker.clone().or_else(|| {
            let nobody_asked = self.in_the_way.refused_brks == 0;
            nobody_asked.then(known).flatten()
        })
    }

    fn known_blocker(&self, wanted: u64) -> Option<Blocker> {
        let range = self.memory.above_break(wanted)?;
        Some(Blocker {
            kind: self.memory.kind_at(range.start),
            range,
            mapping: None,
        })
    }
}
