//! One process as `/proc` has it, from outside: what it weighs ([`Snapshot`]), its mappings and its
//! break ([`AddressSpace`], [`BreakState`]), its limits ([`Limits`]), and the files that it has
//! mapped ([`MappedFile`]).
//!
//! A process is opened once ([`Process`]), by its directory in `/proc`, so that no figure is of
//! another one that got the same number since.

#![deny(unsafe_code)]

#[cfg(test)]
use suite as _;

mod address_space;
mod kib_field;
mod limits;
mod page_size;
mod pidfd;
mod process;
mod processor_time;
mod snapshot;

pub use address_space::{
    AddressSpace, BreakState, Device, FoundBy, GLIBC_GROWTH_STEP_BYTES, MappedFile, Mapping,
    Mappings, Maps, MapsError, MemoryRange, NotOpened, Permissions, ProgramBreak, of_one_program,
    open_regular, parse_line, root_directory,
};
pub use kib_field::kib_field;
pub use limits::{Counted, Limit, Limits};
pub use page_size::page_size_bytes;
pub use pidfd::{pidfd_kill, pidfd_open};
pub use process::{Process, ProcessError, Reason, Stat, Status};
pub use processor_time::thread_cpu_time;
pub use snapshot::{Snapshot, Weigher};

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
