//! One process: its memory, what it is reading, what stands in the way of its break; and growth by
//! process, of those that have ended, too.

use std::cmp::Reverse;
use std::sync::Arc;
use std::time::Duration;

use memory_event::{Call, Refusal};
use serde::{Serialize, Serializer};

use super::files::Libraries;
use super::kind::ByKind;
use super::layout::Blocker;
use super::memory::{Change, TrackedMemory};
use super::near_break::NearBreak;
use super::reading::FilesBeingRead;
use crate::accounts::{Accounts, SoftLimits};
use crate::refusals::{Circumstances, Refusals, Refused};

#[derive(Debug, Default)]
pub(super) struct ProcessGrowth {
    /// The program's file: the first that is mapped to be executed.
    pub(super) program: Option<Arc<[u8]>>,
    pub(super) memory: TrackedMemory,
    pub(super) reading: FilesBeingRead,
    pub(super) libraries: Libraries,
    /// What it asked for and has not given back.
    pub(super) held: ByKind,
    pub(super) asked_bytes: u64,
    /// The most that `held` ever was.
    pub(super) greatest_growth_bytes: i64,
    /// When it changed last.
    pub(super) changed_at: Duration,
    /// Limits that calls told of.
    pub(super) limits: SoftLimits,
    pub(super) near_break: NearBreak,
    pub(super) refused_brks: u64,
    pub(super) refusals: Refusals,
}

impl ProcessGrowth {
    /// One that was forked from this: all of its memory was there before.
    pub(super) fn forked(&self) -> Self {
        Self {
            program: self.program.clone(),
            memory: self.memory.inherited(),
            libraries: self.libraries.clone(),
            limits: self.limits,
            near_break: self.near_break.clone(),
            ..Self::default()
        }
    }

    pub(super) fn changed(&mut self, at: Duration, change: &Change) {
        self.held += &change.by_kind;
        self.asked_bytes = self.asked_bytes.saturating_add(change.asked_bytes);
        self.changed_at = self.changed_at.max(at);
        self.greatest_growth_bytes = self.greatest_growth_bytes.max(self.held.total());
    }

    /// A greater break was refused.
    pub(super) fn refused(&mut self, pid: i32, call: &Call) {
        self.refused_brks += 1;
        let program_break = call.result.ok().or_else(|| self.memory.program_break());
        let asked_bytes = call.asked_bytes();
        let mut circumstances = self.circumstances(program_break, asked_bytes);
        circumstances.errno = call.result.err();
        let cause = circumstances.cause();
        self.refusals.add(Refused { pid, program_break, asked_bytes, cause, surroundings: None });
    }

    /// `/proc` was read after that.
    pub(super) fn surrounded(&mut self, surroundings: &Refusal) {
        let Some(refused) = self.refusals.take_last() else {
            return;
        };
        let circumstances = self.circumstances(refused.program_break, refused.asked_bytes);
        let cause = Circumstances { surroundings: Some(surroundings), ..circumstances }.cause();
        self.refusals.add(Refused { cause, surroundings: Some(surroundings.clone()), ..refused });
    }

    /// What the calls tell of a break that should have grown.
    fn circumstances(
        &self,
        program_break: Option<u64>,
        asked_bytes: u64,
    ) -> Circumstances<'static> {
        let wanted = program_break.unwrap_or_default().saturating_add(asked_bytes);
        Circumstances {
            program_break: program_break.map(super::memory::page_up),
            asked_bytes,
            errno: None,
            surroundings: None,
            blocker: self.known_blocker(wanted),
            accounts: self.accounts(),
        }
    }

    /// What counts towards the limits that the calls told of.
    pub(super) fn accounts(&self) -> Accounts {
        let (mapped, writable) = match self.limits.any() {
            true => self.memory.bytes(),
            false => (0, 0),
        };
        Accounts::told(self.limits, writable, mapped)
    }

    /// What is in the way of the break; if it was never refused, what lies directly above it.
    pub(super) fn blocker(&self) -> Option<Blocker> {
        let known = || self.known_blocker(self.memory.program_break()?);
        self.refusals.blocker().cloned().or_else(|| {
            let nobody_asked = self.refused_brks == 0;
            nobody_asked.then(known).flatten()
        })
    }

    fn known_blocker(&self, wanted: u64) -> Option<Blocker> {
        let range = self.memory.above_break(wanted)?;
        Some(Blocker {
            kind: self.memory.kind_at(range.start),
            mapped_by: self.near_break.made(&range),
            range,
            mapping: None,
            merged: false,
        })
    }
}

/// So many programs are told apart of those that have ended, and so many of those that run.
pub(super) const MOST_TOLD: usize = 64;

/// What one program asked for, in one process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ProgramGrowth {
    /// The process.
    pub pid: i32,
    /// The program's file, where the source has told what is mapped; in JSON, bytes that aren't UTF-8
    /// are replaced.
    #[serde(serialize_with = "path")]
    pub program: Option<Arc<[u8]>>,
    /// What it has now, or had at its end, of what came to it while it was watched.
    pub bytes: i64,
    /// What it asked for in all.
    pub asked_bytes: u64,
}

fn path<S: Serializer>(path: &Option<Arc<[u8]>>, serializer: S) -> Result<S::Ok, S::Error> {
    path.as_deref().map(String::from_utf8_lossy).serialize(serializer)
}

impl ProgramGrowth {
    /// By which those that grew most come first.
    pub(super) fn rank(&self) -> impl Ord + use<> {
        (Reverse((self.bytes, self.asked_bytes)), self.pid)
    }

    /// What it is called, and its number: `nginx 1234`.
    pub fn name(&self) -> String {
        let path = self.program.as_deref().map(String::from_utf8_lossy);
        let name = path.as_deref().and_then(|path| path.rsplit('/').next());
        format!("{} {}", name.unwrap_or("process"), self.pid)
    }

    /// `None` of one that asked for nothing and gave nothing back.
    pub(super) fn of(pid: i32, process: &ProcessGrowth) -> Option<Self> {
        let bytes = process.held.total();
        let asked_bytes = process.asked_bytes;
        let program = process.program.clone();
        (bytes != 0 || asked_bytes > 0).then_some(Self { pid, program, bytes, asked_bytes })
    }
}

/// Programs that have ended, those that asked for most first.
#[derive(Debug, Default)]
pub(super) struct EndedPrograms {
    pub(super) kept: Vec<ProgramGrowth>,
    /// Programs that asked for something and found no place.
    pub(super) left_out: u64,
}

impl EndedPrograms {
    pub(super) fn add(&mut self, ended: ProgramGrowth) {
        let place = self.kept.partition_point(|other| other.asked_bytes >= ended.asked_bytes);
        self.kept.insert(place, ended);
        if self.kept.len() > MOST_TOLD {
            self.kept.pop();
            self.left_out += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_many_those_that_asked_for_most_are_kept() {
        let mut ended = EndedPrograms::default();
        for pid in 0..1000 {
            let asked_bytes = (pid as u64 * 7919) % 1000;
            ended.add(ProgramGrowth { pid, program: None, bytes: 0, asked_bytes });
        }
        let kept: Vec<_> = ended.kept.iter().map(|program| program.asked_bytes).collect();
        assert_eq!(kept, (1000 - MOST_TOLD as u64..1000).rev().collect::<Vec<_>>());
        assert_eq!(ended.left_out, 1000 - MOST_TOLD as u64);
    }
}
