//! What stood in the way when memory was refused.

use crate::address_space::ProgramBreak;

/// The surroundings of a refused call, read from `/proc` as soon as the refusal was seen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Refusal {
    /// The break, its room and what ends it; `None` if it could not be found.
    pub program_break: Option<ProgramBreak>,
    /// What the data segment may hold at most (`RLIMIT_DATA`, soft); `None` for no limit.
    pub data_limit_bytes: Option<u64>,
    /// What counts towards it: private writable memory (`VmData` of `/proc/PID/status`).
    pub data_bytes: u64,
    /// What the address space may hold at most (`RLIMIT_AS`, soft); `None` for no limit.
    pub address_space_limit_bytes: Option<u64>,
    /// What counts towards it (`VmSize`).
    pub address_space_bytes: u64,
    /// How many mappings there were, and what `MAP_32BIT` had to choose from; `None` if the list
    /// could not be read.
    pub crowd: Option<Crowd>,
    /// What the machine promises at most.
    pub promises: Promises,
}

/// How full an address space is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Crowd {
    /// How many mappings.
    pub mappings: u64,
    /// How many there may be (`vm.max_map_count`); `None` if that can't be read.
    pub most_mappings: Option<u64>,
    /// The greatest gap between two of them, in bytes.
    pub greatest_gap_bytes: u64,
    /// What is mapped below 2 GiB, in bytes.
    pub low_bytes: u64,
    /// The greatest gap in the second GiB, from which `MAP_32BIT` takes; in bytes.
    pub greatest_low_gap_bytes: u64,
}

/// How much memory the kernel promises to everybody together.
///
/// # References
/// `Documentation/mm/overcommit-accounting.rst`; `__vm_enough_memory` in `mm/util.c`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Promises {
    /// `vm.overcommit_memory`: 0 refuses a request that is greater than the machine alone, 2 what
    /// exceeds the limit, 1 nothing. `None` if it can't be read.
    pub mode: Option<u8>,
    /// Memory and swap of the machine, in bytes.
    pub machine_bytes: Option<u64>,
    /// `CommitLimit`, in bytes.
    pub limit_bytes: Option<u64>,
    /// `Committed_AS`, in bytes.
    pub promised_bytes: Option<u64>,
}

impl Promises {
    /// Whether so many bytes more would be too many.
    pub fn refuse(&self, asked_bytes: u64) -> bool {
        let exceeds = |limit: Option<u64>, used: u64| {
            limit.is_some_and(|limit| used.saturating_add(asked_bytes) > limit)
        };
        match self.mode {
            Some(0) => exceeds(self.machine_bytes, 0),
            Some(2) => exceeds(self.limit_bytes, self.promised_bytes.unwrap_or(0)),
            _ => false,
        }
    }
}
