//! The break of a living process: where it can grow to, what would stop it, and whether it is used.

use std::fs::File;
use std::io::BufReader;
use std::thread;
use std::time::Duration;

use nix::errno::Errno;
use serde::{Serialize, Serializer};

use super::break_lookup::{self, FoundBy};
use super::mapping::Mapping;
use super::program_break::{GLIBC_GROWTH_STEP_BYTES, ProgramBreak};
use super::{AddressSpace, touched, tunables};
use crate::limits::{Limit, Limits};
use crate::process::{Process, ProcessError, Reason, Stat};

/// A process that execs while it is being read is read again so many times.
const ATTEMPTS: usize = 5;

/// For so long a process that has lost its old program is left to load the new one.
const EXEC_TAKES: Duration = Duration::from_millis(1);

/// The break of a process at one moment.
///
/// As JSON, addresses are text in hexadecimal: not every reader keeps all digits of a number that
/// big.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BreakState {
    /// The process.
    #[serde(skip)]
    pub pid: i32,
    /// Where the heap starts.
    #[serde(serialize_with = "address")]
    pub start: u64,
    /// The break, rounded up to a page; see [`ProgramBreak::end`].
    #[serde(serialize_with = "address")]
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
    ///
    /// The error names process, file, reason and what helps: no permission, a kernel thread, a
    /// zombie, or a process that has ended.
    pub fn of(process: &Process) -> Result<Self, ProcessError> {
        Self::at_one_program(process, |maps, start, stat| {
            let (found, found_by) =
                break_lookup::find(maps, start).map_err(|error| error.of(process))?;
            Self::around(process, found, found_by, stat)
        })
    }

    /// As [`of`](Self::of), together with all mappings, for whoever needs those too: the list is
    /// read once, and nothing is asked for by query.
    ///
    /// # Errors
    ///
    /// As for [`of`](Self::of).
    pub fn with_mappings(process: &Process) -> Result<(Self, AddressSpace), ProcessError> {
        Self::at_one_program(process, |maps, start, stat| {
            let space = AddressSpace::parse(BufReader::new(maps), Some(start))
                .map_err(|error| error.of(process))?;
            // The list of memory that is being given up is empty, without an error.
            let found = space.program_break().cloned();
            let found = found
                .filter(|_| !space.mappings().is_empty())
                .ok_or_else(|| process.explain("maps", Errno::ESRCH.into()))?;
            let state = Self::around(process, found, FoundBy::Maps, stat)?;
            Ok((state, space))
        })
    }

    /// Hands over `maps` and where the heap starts until both belong to the same program from
    /// beginning to end.
    fn at_one_program<T>(
        process: &Process,
        look: impl Fn(File, u64, &Stat) -> Result<T, ProcessError>,
    ) -> Result<T, ProcessError> {
        let mut buffer = Vec::new();
        for _ in 0..ATTEMPTS {
            let before = process.stat(&mut buffer)?;
            if before.is_between_programs() {
                // Unless it only looks so, because this process may not see more.
                process.file("maps")?;
                thread::sleep(EXEC_TAKES);
                continue;
            }
            let found = Self::once(process, &before, &look);
            let after = process.stat(&mut buffer)?;
            if after.image != before.image {
                continue;
            }
            let found = found?;
            if after.has_ended() {
                return Err(process.explain("maps", Errno::ESRCH.into()));
            }
            return Ok(found);
        }
        Err(ProcessError {
            pid: process.pid(),
            file: "maps",
            reason: Reason::KeepsChanging,
        })
    }

    fn once<T>(
        process: &Process,
        stat: &Stat,
        look: impl Fn(File, u64, &Stat) -> Result<T, ProcessError>,
    ) -> Result<T, ProcessError> {
        // Opened first, as only this tells why nothing may be read.
        let maps = process.file("maps")?;
        // Whoever has memory has a start of the heap; the error says what this is instead.
        let start = stat
            .start_brk()
            .ok_or_else(|| process.explain("maps", Errno::ESRCH.into()))?;
        look(maps, start, stat)
    }

    fn around(
        process: &Process,
        found: ProgramBreak,
        found_by: FoundBy,
        stat: &Stat,
    ) -> Result<Self, ProcessError> {
        let segment_bytes = found.end - found.start;
        let limits = Limits::of(process)?.at_break(segment_bytes, stat.program_data_bytes);
        let ProgramBreak {
            start,
            end,
            room_bytes,
            growable_bytes,
            blocked,
            blocker,
        } = found;
        Ok(Self {
            pid: process.pid(),
            start,
            end,
            segment_bytes,
            room_bytes,
            growable_bytes,
            blocked,
            limited: limits.refused_by(GLIBC_GROWTH_STEP_BYTES).is_some(),
            blocker,
            limits,
            used: touched::any(process, start..end),
            tunable: match segment_bytes {
                ..GLIBC_GROWTH_STEP_BYTES => tunables::off_the_break(process),
                _ => None,
            },
            found_by,
        })
    }

    /// The limit that would refuse one step of glibc's malloc, with its name.
    #[must_use]
    pub fn refusing_limit(&self) -> Option<(&'static str, Limit)> {
        self.limits.refused_by(GLIBC_GROWTH_STEP_BYTES)
    }
}

fn address<S: Serializer>(address: &u64, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&format_args!("{address:#x}"))
}

fn blocker<S: Serializer>(mapping: &Option<Mapping>, serializer: S) -> Result<S::Ok, S::Error> {
    mapping.as_ref().map(Mapping::told).serialize(serializer)
}
