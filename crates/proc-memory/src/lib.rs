//! One process as `/proc` has it, from outside: what it weighs ([`Snapshot`]), its mappings and its
//! break ([`AddressSpace`], [`BreakState`]), how much of each mapping is in memory
//! ([`WeighedMapping`]) and which of its pages ([`PageMap`]), its limits ([`Limits`]), and the files that it has
//! mapped ([`MappedFile`]).
//!
//! A process is opened once ([`Process`]), by its directory in `/proc`, so that no figure is of
//! another one that got the same number since.

#![cfg_attr(doctest, doc = include_str!("../README.md"))]
#![deny(unsafe_code)]

#[cfg(test)]
use suite as _;

mod address_space;
pub mod hexadecimal;
mod limits;
mod memory;
mod page_map;
mod process;
mod smaps;
mod snapshot;
mod syscalls;

pub use address_space::{
    AddressSpace, BreakState, Device, FoundBy, GLIBC_GROWTH_STEP_BYTES, MappedFile, Mapping,
    Mappings, Maps, MapsError, MemoryRange, NotOpened, Permissions, ProgramBreak, hugetlb_tunable,
    of_one_program, open_regular, parse_line, root_directory,
};
pub use limits::{Limit, Limits};
pub use memory::{ProcessMemory, read_memory};
pub use page_map::{PageMap, PageState, joined_ranges};
pub use process::{
    Process, ProcessError, ROOT_IS_REFUSED, Reason, Stat, Status, all_pids, as_root, kib_field,
};
pub use smaps::WeighedMapping;
pub use snapshot::{Snapshot, Weigher};
pub use syscalls::{page_size_bytes, pidfd_kill, pidfd_open, robust_list, thread_cpu_time, word};
