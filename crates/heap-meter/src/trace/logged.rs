//! Which figures can be known: a log has the calls that strace was told to write (`-e`), and one
//! that isn't in it at all may have been made a thousand times.

use serde::{Serialize, Serializer};

use heap_growth::{ByKind, GrowthKind, Tally};
use memory_event::Syscall;

/// Where events came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum EventSource {
    /// A child that was launched.
    Launch,
    /// A process that was running.
    Attach,
    /// A log that strace wrote.
    StraceLog,
}

/// Files that were opened so often, with no closing in the log, were closed without its being
/// logged.
const OPENED_UNCLOSED: u64 = 2;

/// Before its `main`, every program that is linked to shared libraries makes all of these, in as many
/// calls as this or more. A log of so many that lacks [`TELLING`] of them was told to leave them out;
/// a shorter one may be a part of a run in which they didn't come.
///
/// # References
/// ld.so(8); glibc `elf/dl-load.c`, `elf/dl-cache.c` (which unmaps the cache of libraries)
const AT_START: [&[Syscall]; 6] = [
    &[Syscall::Brk],
    &[Syscall::Mmap],
    &[Syscall::Munmap],
    &[Syscall::Mprotect],
    &[Syscall::Open, Syscall::Openat, Syscall::Openat2],
    &[Syscall::Close],
];
const CALLS_AT_START: u64 = 20;
const TELLING: usize = 2;

/// Of so many calls one succeeds, unless those weren't logged: a shorter log may be what somebody
/// kept of a longer one.
const CALLS_FAILED: u64 = 3;

/// What a source tells of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Logged {
    brk: bool,
    mmap: bool,
    munmap: bool,
    close: bool,
    /// strace was told to leave calls out.
    filtered: bool,
    /// Nothing that succeeded was told (`-Z`).
    only_failed: bool,
}

impl Logged {
    /// What is known of a run of which these calls were told.
    pub(super) fn of(source: EventSource, tally: &Tally) -> Self {
        let calls = |syscall| tally.get(syscall).calls;
        let has = |syscall| source != EventSource::StraceLog || calls(syscall) > 0;
        let succeeded = |syscall: Syscall| calls(syscall) - tally.get(syscall).failed;
        let opened = Syscall::ALL.into_iter().filter(|syscall| syscall.is_open());
        let opened: u64 = opened.map(succeeded).sum();
        let all: u64 = Syscall::ALL.into_iter().map(calls).sum();
        let none_succeeded = Syscall::ALL.into_iter().all(|syscall| succeeded(syscall) == 0);
        // To strace no brk fails.
        let only_failed = all >= CALLS_FAILED && none_succeeded && calls(Syscall::Brk) == 0;
        Self {
            only_failed: source == EventSource::StraceLog && only_failed,
            brk: has(Syscall::Brk),
            mmap: has(Syscall::Mmap) || has(Syscall::Mremap),
            munmap: has(Syscall::Munmap),
            close: has(Syscall::Close) || opened < OPENED_UNCLOSED,
            filtered: {
                let lacks = |class: &&&[Syscall]| class.iter().all(|syscall| !has(*syscall));
                all >= CALLS_AT_START && AT_START.iter().filter(lacks).count() >= TELLING
            },
        }
    }

    /// Whether memory was seen to come.
    pub(super) fn growth(self) -> bool {
        (self.brk || self.mmap) && !self.only_failed
    }

    /// Whether memory could be seen to go.
    pub(super) fn returned(self) -> bool {
        self.growth() && (self.brk || self.munmap)
    }

    /// Whether it is known which file was being read when memory came.
    pub(super) fn growth_by_file(self) -> bool {
        self.growth() && self.close
    }

    /// Whether a refused `brk` and an `mmap` in its place would have been seen.
    pub(super) fn fallback(self, refused_brks: u64) -> bool {
        self.brk && (self.mmap || refused_brks == 0)
    }

    /// Bytes of the kinds that are known.
    pub(super) fn kinds(self, bytes: ByKind) -> KindBytes {
        let known = |kind| match kind {
            _ if self.only_failed => false,
            GrowthKind::Break => self.brk,
            GrowthKind::Earlier => self.growth(),
            _ => self.mmap,
        };
        KindBytes(bytes.iter().map(|(kind, bytes)| (kind, known(kind).then_some(bytes))).collect())
    }

    /// What isn't known, and how to have it known.
    pub(super) fn notes(self) -> Vec<String> {
        let missing = |calls: &[(&'static str, bool)]| {
            let missing = calls.iter().filter(|(_, logged)| !logged);
            missing.map(|(name, _)| *name).collect::<Vec<_>>().join(", no ")
        };
        let mut notes = Vec::new();
        if self.only_failed {
            notes.push(format!(
                "growth isn't known: all calls in the log failed, as if strace was told to leave out \
                 the others (-Z); {COMMAND} logs what is needed"
            ));
        } else if !self.growth() {
            notes.push(format!(
                "growth isn't known: the log has no brk and no mmap. Unless the program made none, \
                 strace was told to leave them out (-e); {COMMAND} logs what is needed"
            ));
        } else if self.filtered && !(self.brk && self.mmap && self.munmap) {
            let calls = [("brk", self.brk), ("mmap", self.mmap), ("munmap", self.munmap)];
            notes.push(format!(
                "the log has no {}: if strace was told to leave that out (-e), memory that came or \
                 went by it isn't in these figures; {COMMAND} logs what is needed",
                missing(&calls)
            ));
        }
        if self.growth() && !self.close {
            notes.push(format!(
                "the log has no close: which file was being read when memory grew isn't known; \
                 {COMMAND} logs what is needed"
            ));
        }
        notes
    }
}

const COMMAND: &str = "`strace -f -ttt -e trace=memory,open,openat,close,%process -o LOG COMMAND`";

/// Bytes of each kind; `None` for one that the source couldn't see.
///
/// In JSON: `{"break":135168,"fallback":null,…}`; `earlier` only if some of it was given back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KindBytes(Vec<(GrowthKind, Option<i64>)>);

impl KindBytes {
    /// Bytes of one kind.
    pub fn get(&self, kind: GrowthKind) -> Option<i64> {
        let mut kinds = self.0.iter();
        kinds.find(|(known, _)| *known == kind).and_then(|(_, bytes)| *bytes)
    }
}

impl Serialize for KindBytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let told = |entry: &&(GrowthKind, Option<i64>)| {
            !matches!(entry, (GrowthKind::Earlier, Some(0) | None))
        };
        let kinds = self.0.iter().filter(told);
        serializer.collect_map(kinds.map(|(kind, bytes)| (kind.name(), bytes)))
    }
}
