//! The break of a living process: where it can grow to, what would stop it, and whether it is used.

use serde::{Serialize, Serializer};

use super::break_usage;
use super::mapping::Mapping;
use super::mappings::{FoundBy, Mappings};
use super::one_program::of_one_program;
use super::program_break::{GLIBC_GROWTH_STEP_BYTES, ProgramBreak};
use crate::hexadecimal;
use crate::limits::{Limit, Limits};
use crate::process::{Process, ProcessError, Stat};

/// The break of a process at one moment.
///
/// As JSON, addresses are text ([`hexadecimal`]).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct BreakState {
    /// The process.
    #[serde(skip)]
    pub pid: i32,
    /// Where the heap starts.
    #[serde(with = "hexadecimal")]
    pub start: u64,
    /// The break, rounded up to a page; see [`ProgramBreak::end`].
    #[serde(with = "hexadecimal")]
    pub end: u64,
    /// From [`start`](Self::start) to [`end`](Self::end).
    pub segment_bytes: u64,
    /// Bytes between the break and the next mapping above it; `None` when nothing lies above.
    pub room_bytes: Option<u64>,
    /// The part of the room that brk can take; limits are not counted in.
    pub growable_bytes: Option<u64>,
    /// Whether a mapping leaves less than one step of glibc's malloc
    /// ([`GLIBC_GROWTH_STEP_BYTES`]).
    pub blocked: bool,
    /// Whether a limit leaves less than one step of glibc's malloc.
    pub limited: bool,
    /// The mapping that ends the room.
    #[serde(serialize_with = "blocker")]
    pub blocker: Option<Mapping>,
    /// The limits that a growth must not pass.
    pub limits: Limits,
    /// Whether the process has ever touched any of the segment: some page of it is resident or
    /// swapped out. `None` if that can't be told.
    pub used: Option<bool>,
    /// The tunable that the process was started with and that keeps glibc's malloc off the break
    /// altogether, such as `glibc.malloc.hugetlb=2`. `None` if there is none, and where none was
    /// looked for: the environment can't be read, or the break has grown by more than malloc's
    /// smallest step, so that it is used whatever was set.
    pub tunable: Option<String>,
    /// How the mappings were learnt of.
    pub found_by: FoundBy,
}

impl BreakState {
    /// Looks at the break of a process.
    ///
    /// Nothing is stopped; what the process does meanwhile may be seen or not. An exec in between
    /// is noticed, and the new program is looked at.
    ///
    /// # Errors
    /// The error names process, file, reason and what helps: no permission, a kernel thread, a
    /// zombie, or a process that has ended.
    pub fn of(process: &Process) -> Result<Self, ProcessError> {
        of_one_program(process, None, |mut mappings, stat| {
            Self::among(process, &mut mappings, stat)
        })
    }

    /// As [`of`](Self::of), among mappings that belong to the program that `stat` tells of.
    pub fn among(
        process: &Process,
        mappings: &mut Mappings,
        stat: &Stat,
    ) -> Result<Self, ProcessError> {
        let found = mappings
            .program_break(stat.start_brk())
            .map_err(|error| error.of(process))?
            // Memory that is being given up has no mappings, without an error.
            .ok_or_else(|| process.without_memory("maps"))?;
        Self::around(process, found, mappings.found_by(), stat)
    }

    fn around(
        process: &Process,
        found: ProgramBreak,
        found_by: FoundBy,
        stat: &Stat,
    ) -> Result<Self, ProcessError> {
        let segment_bytes = found.end - found.start;
        let limits = Limits::of(process)?.at_break(segment_bytes, stat.program_data_bytes);
        let mut state = Self::new(process.pid(), found, limits, found_by);
        state.used = break_usage::is_touched(process, state.start..state.end);
        if segment_bytes < GLIBC_GROWTH_STEP_BYTES {
            state.tunable = break_usage::off_the_break(process);
        }
        Ok(state)
    }

    /// A break that was found so, within these limits. Whether it is used isn't known.
    pub fn new(pid: i32, found: ProgramBreak, limits: Limits, found_by: FoundBy) -> Self {
        Self {
            pid,
            start: found.start,
            end: found.end,
            segment_bytes: found.end - found.start,
            room_bytes: found.room_bytes,
            growable_bytes: found.growable_bytes,
            blocked: found.blocked,
            limited: limits.refused_by(GLIBC_GROWTH_STEP_BYTES).is_some(),
            blocker: found.blocker,
            limits,
            used: None,
            tunable: None,
            found_by,
        }
    }

    /// The break is here, as malloc's own books tell: what `[heap]` has above it is a mapping that
    /// the kernel has merged with it, and in its way.
    pub fn is_merged_from(&mut self, program_break: u64) {
        let merged = Mapping { start: program_break, end: self.end, ..Mapping::heap() };
        self.end = program_break;
        self.segment_bytes = program_break.saturating_sub(self.start);
        (self.room_bytes, self.growable_bytes) = (Some(0), Some(0));
        self.blocked = true;
        self.blocker = Some(merged);
    }

    /// Whether the blocker is one that `/proc/PID/maps` shows as a part of `[heap]`.
    pub fn is_merged(&self) -> bool {
        // An older kernel calls what lies at the break so too, but not if it could be written to.
        let blocker = self.blocker.as_ref();
        blocker.is_some_and(|blocker| blocker.is_heap() && blocker.permissions.write)
    }

    /// The limit that would refuse one step of glibc's malloc, with its name.
    pub fn refusing_limit(&self) -> Option<(&'static str, Limit)> {
        self.limits.refused_by(GLIBC_GROWTH_STEP_BYTES)
    }
}

fn blocker<S: Serializer>(mapping: &Option<Mapping>, serializer: S) -> Result<S::Ok, S::Error> {
    mapping.as_ref().map(Mapping::told).serialize(serializer)
}
