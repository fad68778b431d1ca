//! What stood in the way when a break was refused.

use crate::address_space::ProgramBreak;

/// The surroundings of a refused `brk`, read from `/proc` as soon as the refusal was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
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
}
