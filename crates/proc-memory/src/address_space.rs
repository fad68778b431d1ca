//! A process's mappings, its break, and the room above it.

mod break_state;
mod break_usage;
mod line;
mod mapped_file;
mod mapping;
mod mappings;
mod one_program;
mod program_break;
mod query;
mod reader;

use std::io::{BufRead, BufReader};

pub use self::break_state::BreakState;
pub use self::break_usage::hugetlb_tunable;
pub use self::line::parse_line;
pub use self::mapped_file::{MappedFile, NotOpened, open_regular, root_directory};
pub use self::mapping::{Device, Mapping, Permissions};
pub use self::mappings::{FoundBy, Mappings};
pub use self::one_program::of_one_program;
pub use self::program_break::{GLIBC_GROWTH_STEP_BYTES, ProgramBreak};
pub use self::query::MemoryRange;
pub use self::reader::{Maps, MapsError};
use crate::process::{Process, ProcessError};
use program_break::BreakFinder;

/// All mappings of a process and the break among them.
///
/// [`Maps`] reads `/proc/PID/maps`, or a copy of one, as bytes and in constant memory;
/// [`AddressSpace::of`] takes the mappings of a living process and finds the
/// [`ProgramBreak`] among them. [`BreakState::of`] asks the kernel for the break's surroundings alone,
/// however many mappings there are, and adds what else a growing break depends on: limits, and
/// whether it is used at all.
///
/// ```
/// use proc_memory::AddressSpace;
///
/// let space = AddressSpace::of(std::process::id() as i32)?;
/// let heap = space.program_break().expect("every program has a break");
/// println!("{:#x}, room for {:?} bytes, blocked: {}", heap.end, heap.room_bytes, heap.blocked);
/// # Ok::<(), proc_memory::ProcessError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddressSpace {
    mappings: Vec<Mapping>,
    program_break: Option<ProgramBreak>,
}

impl AddressSpace {
    /// Reads the mappings of the process that has the number `pid` now.
    ///
    /// The kernel hands the list out in pieces of about a page, so mappings that change meanwhile
    /// may appear in their old or their new form; stop the process for a list of one moment. An
    /// exec in between is noticed and the list is read again.
    ///
    /// # Errors
    /// The error names process, file, reason and what helps: no permission, a kernel thread, a
    /// zombie, or a process that has ended.
    pub fn of(pid: i32) -> Result<Self, ProcessError> {
        Self::of_process(&Process::open(pid)?)
    }

    /// As [`of`](Self::of), for a process that is already held.
    ///
    /// # Errors
    /// As for [`of`](Self::of).
    pub fn of_process(process: &Process) -> Result<Self, ProcessError> {
        of_one_program(process, None, |_, stat| {
            let maps = BufReader::new(process.file("maps")?);
            let space = Self::parse(maps, stat.start_brk()).map_err(|error| error.of(process))?;
            match space.mappings.is_empty() {
                // A list of memory that is being given up just ends early, without an error.
                true => Err(process.without_memory("maps")),
                false => Ok(space),
            }
        })
    }

    /// Reads a list in the format of `/proc/PID/maps` from anywhere.
    ///
    /// `start_brk` is where the heap starts (field 47 of `/proc/PID/stat`); without it the break
    /// can be found only if the list has a `[heap]`.
    ///
    /// # Errors
    /// When reading fails or a line is not in that format; the error names the line.
    pub fn parse(list: impl BufRead, start_brk: Option<u64>) -> Result<Self, MapsError> {
        let mut maps = Maps::new(list);
        let mut mappings = Vec::new();
        let mut finder = BreakFinder::new(start_brk);
        while let Some(mapping) = maps.next_mapping()? {
            finder.see(&mapping);
            mappings.push(mapping.to_owned());
        }
        Ok(Self { mappings, program_break: finder.finish() })
    }

    /// The one mapping that an address lies in, if there is one. The kernel is asked for it (since
    /// Linux 6.11), so that it costs the same however many others there are.
    ///
    /// # Errors
    /// As for [`of`](Self::of).
    pub fn mapping_at(process: &Process, address: u64) -> Result<Option<Mapping>, ProcessError> {
        let found = Mappings::of(process)?.at(address);
        found.map_err(|error| error.of(process))
    }

    /// The mappings in the kernel's order, lowest first.
    pub fn mappings(&self) -> &[Mapping] {
        &self.mappings
    }

    /// The break, its room and what ends it; `None` when a list has no `[heap]` and nothing told
    /// where one would start.
    pub fn program_break(&self) -> Option<&ProgramBreak> {
        self.program_break.as_ref()
    }
}
