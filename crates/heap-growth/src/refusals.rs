//! Why breaks were refused.

use super::accounts::{Accounts, MAPPINGS};
use super::growth::layout::Blocker;
use memory_event::{Refusal, Resource};
use proc_memory::{Mapping, ProgramBreak};

pub use super::accounts::Limited;

/// A break with so much room isn't blocked, whatever lies above: nothing has so much memory.
const FREE_BYTES: u64 = 1 << 40;

/// Why the kernel would not move a break.
///
/// # References
/// `mm/mmap.c`, `SYSCALL_DEFINE1(brk)`: first the data limit, then what lies above, then
/// (`may_expand_vm`) the limit on the address space and, since Linux 4.7, the data limit once more
/// for all private writable memory; then the number of mappings and what the machine promises.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BrkFailure {
    /// A mapping lies in the way.
    Blocked(Blocker),
    /// It would have passed a limit.
    Limited(Limited),
    /// It asked for a TiB or more, in front of as much room as there is.
    TooMuch,
    /// It was more than the machine promises (`vm.overcommit_memory`).
    Overcommit,
    /// The call returned this error instead of a break, which the kernel's own brk never does: a
    /// seccomp filter forbids it.
    Filter(i32),
    /// There was room and no limit was near.
    Unexplained,
    /// Only the calls are known, and they don't tell.
    Unknown,
}

impl BrkFailure {
    /// Whether both are of one kind: to be blocked by what the program itself has mapped is another
    /// thing than by what was there already.
    pub fn is_like(&self, other: &Self) -> bool {
        let by_own_call = |cause: &Self| match cause {
            Self::Blocked(blocker) => blocker.mapped_by.is_some(),
            _ => false,
        };
        std::mem::discriminant(self) == std::mem::discriminant(other)
            && by_own_call(self) == by_own_call(other)
    }
}

/// A refused break and what stood in its way.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Refused {
    /// The process.
    pub pid: i32,
    /// The break, which stayed as it was; `None` if it isn't known.
    pub program_break: Option<u64>,
    /// By how much it was to grow; 0 if that isn't known.
    pub asked_bytes: u64,
    /// Why it was refused.
    pub cause: BrkFailure,
    /// What was read from `/proc` right afterwards, where it could be.
    pub surroundings: Option<Refusal>,
}

/// All that bears on a refusal.
pub(super) struct Circumstances<'a> {
    /// The break, rounded up to a page.
    pub(super) program_break: Option<u64>,
    pub(super) asked_bytes: u64,
    /// The error, if the call returned one.
    pub(super) errno: Option<i32>,
    /// What was read from `/proc`.
    pub(super) surroundings: Option<&'a Refusal>,
    /// What lies above the break, by the calls.
    pub(super) blocker: Option<Blocker>,
    /// Limits, by the calls.
    pub(super) accounts: Accounts,
}

impl Circumstances<'_> {
    /// Why it was refused: the first that the kernel looks at.
    pub(super) fn cause(&self) -> BrkFailure {
        if let Some(errno) = self.errno {
            return BrkFailure::Filter(errno);
        }
        let accounts = self.surroundings.map_or(self.accounts, Accounts::read);
        let refusing = |resource| accounts.refuses(resource, self.asked_bytes);
        if let Some(limited) = refusing(Resource::Data) {
            return BrkFailure::Limited(limited);
        }
        if let Some(blocker) = self.blocker() {
            return BrkFailure::Blocked(blocker);
        }
        if let Some(limited) = refusing(Resource::AddressSpace) {
            return BrkFailure::Limited(limited);
        }
        if let Some(limited) = self.surroundings.and_then(too_many_mappings) {
            return BrkFailure::Limited(limited);
        }
        if self.asked_bytes >= FREE_BYTES {
            return BrkFailure::TooMuch;
        }
        match self.surroundings {
            Some(around) if around.promises.refuse(self.asked_bytes) => BrkFailure::Overcommit,
            Some(_) => BrkFailure::Unexplained,
            None => BrkFailure::Unknown,
        }
    }

    fn blocker(&self) -> Option<Blocker> {
        let blocker = match self.surroundings.map(|around| &around.program_break) {
            Some(Some(heap)) => self.merged(heap).or_else(|| self.above(heap)),
            _ => self.blocker.clone(),
        }?;
        let room = blocker.range.start.saturating_sub(self.program_break?);
        (room < FREE_BYTES).then_some(blocker)
    }

    /// A mapping above, as `/proc` has it and the calls know it.
    fn above(&self, heap: &ProgramBreak) -> Option<Blocker> {
        let mapping = heap.blocker.as_ref()?;
        let refuses = heap.growable_bytes? < self.asked_bytes;
        refuses.then(|| self.known(mapping.start..mapping.end, mapping.clone(), false))
    }

    /// A mapping right at the break with the heap's own permissions: the kernel makes both one, and
    /// lists them as one `[heap]`. The break, which only the call tells, lies within it then.
    fn merged(&self, heap: &ProgramBreak) -> Option<Blocker> {
        let start = self.program_break.filter(|start| *start < heap.end)?;
        let mapping = Mapping { start, end: heap.end, ..Mapping::heap() };
        Some(self.known(start..heap.end, mapping, true))
    }

    fn known(&self, range: std::ops::Range<u64>, mapping: Mapping, merged: bool) -> Blocker {
        let told = self.blocker.as_ref();
        let told = told.filter(|told| told.range.start == range.start);
        Blocker {
            range,
            kind: told.and_then(|told| told.kind),
            mapped_by: told.and_then(|told| told.mapped_by),
            mapping: Some(mapping),
            merged,
        }
    }
}

/// The limit on mappings, if it is reached.
pub(super) fn too_many_mappings(around: &Refusal) -> Option<Limited> {
    let crowd = around.crowd?;
    let limit = crowd.most_mappings?;
    (crowd.mappings >= limit).then_some(Limited {
        name: MAPPINGS,
        limit,
        used: crowd.mappings,
        exact: true,
    })
}

/// The refused breaks of one program, one for each cause.
#[derive(Clone, Debug, Default)]
pub(super) struct Refusals {
    told: Vec<Refused>,
    /// The last one, of which `/proc` may still tell more.
    last: Option<Refused>,
}

impl Refusals {
    /// A break was refused; `refused` is what the calls tell.
    pub(super) fn add(&mut self, refused: Refused) {
        self.settle();
        self.last = Some(refused);
    }

    /// Takes the last one out, for more to be told of it.
    pub(super) fn take_last(&mut self) -> Option<Refused> {
        self.last.take()
    }

    /// The last one.
    pub(super) fn last(&self) -> Option<&Refused> {
        self.last.as_ref()
    }

    /// All of them.
    pub(super) fn all(mut self) -> Vec<Refused> {
        self.settle();
        self.told
    }

    /// What the break could not pass.
    pub(super) fn blocker(&self) -> Option<&Blocker> {
        let mut all = self.told.iter().chain(&self.last);
        all.find_map(|refused| match &refused.cause {
            BrkFailure::Blocked(blocker) => Some(blocker),
            _ => None,
        })
    }

    /// Unknown is what no other refusal explains.
    fn settle(&mut self) {
        let Some(last) = self.last.take() else { return };
        let same = |told: &Refused| told.cause.is_like(&last.cause);
        if last.cause == BrkFailure::Unknown && !self.told.is_empty() || self.told.iter().any(same)
        {
            return;
        }
        self.told.retain(|told| told.cause != BrkFailure::Unknown);
        self.told.push(last);
    }
}

#[cfg(test)]
mod tests;
