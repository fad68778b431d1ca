//! The limits on a process's memory that a growing break must not pass, and how near they are.

mod soft;

use serde::Serialize;

use crate::page_size_bytes;
use crate::process::{Process, ProcessError, Status};

/// Both limits that a growth of the break is held against; `None` for no limit.
///
/// `RLIMIT_AS` is held against all mappings. `RLIMIT_DATA` is held against the heap and the
/// program's own data and, since Linux 4.7, also against all private writable memory but stacks, so
/// that it refuses malloc's mmap as well. What else may refuse a break is not looked at: overcommit
/// (`vm.overcommit_memory` 2), locked memory (`mlockall` with `MCL_FUTURE`). Neither is a kernel
/// that was booted with `ignore_rlimit_data`, which applies the first half of `RLIMIT_DATA` only.
///
/// # References
/// proc_pid_status(5), setrlimit(2); Linux 6.18: `SYSCALL_DEFINE1(brk)` in `mm/mmap.c`,
/// `check_data_rlimit` in `include/linux/mm.h` (heap and program data against `RLIMIT_DATA`),
/// `may_expand_vm` in `mm/mmap.c` (`total_vm`, shown as `VmSize`, and `data_vm`, shown as `VmData`),
/// `is_data_mapping`
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Limits {
    /// `RLIMIT_DATA` (`ulimit -d`, `LimitDATA=`).
    pub data: Option<Limit>,
    /// `RLIMIT_AS` (`ulimit -v`, `LimitAS=`).
    pub address_space: Option<Limit>,
}

/// A limit and what counts towards it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Limit {
    /// The soft limit, the one that holds.
    pub limit_bytes: u64,
    /// What counts towards it now.
    pub used_bytes: u64,
    /// The greatest growth that it would still allow, in whole pages. For the data limit of a
    /// [`BreakState`](crate::address_space::BreakState) that of the break, which may be less than
    /// that of a mapping.
    pub left_bytes: u64,
}

/// What counts towards the limits of a process.
#[derive(Clone, Copy)]
struct Counted {
    /// `VmData`.
    data_bytes: u64,
    /// `VmSize`.
    address_space_bytes: u64,
}

impl Limits {
    /// The limits of a process.
    ///
    /// # Errors
    /// The process has ended, or has no memory of its own (a kernel thread, a zombie).
    pub fn of(process: &Process) -> Result<Self, ProcessError> {
        let [data, address_space] = soft::of(process)?;
        // Most processes have no limit, and nothing needs to be counted.
        let counted = match (data, address_space) {
            (None, None) => None,
            _ => Some(Counted::of(process)?),
        };
        let limit =
            |limit: Option<u64>, used: fn(Counted) -> u64| Some(Limit::new(limit?, used(counted?)));
        Ok(Self {
            data: limit(data, |counted| counted.data_bytes),
            address_space: limit(address_space, |counted| counted.address_space_bytes),
        })
    }

    /// The same with what the data limit leaves to the break alone: heap and program data, which may
    /// be read-only by now, must not pass it either.
    pub fn at_break(mut self, segment_bytes: u64, program_data_bytes: u64) -> Self {
        let counted_bytes = segment_bytes.saturating_add(program_data_bytes);
        if let Some(data) = &mut self.data {
            let for_break = Limit::new(data.limit_bytes, counted_bytes);
            data.left_bytes = data.left_bytes.min(for_break.left_bytes);
        }
        self
    }

    /// The limit that would refuse a growth by so many bytes, with its name; the tighter one if
    /// both would.
    pub fn refused_by(&self, growth_bytes: u64) -> Option<(&'static str, Limit)> {
        self.tightest().filter(|(_, limit)| limit.left_bytes < growth_bytes)
    }

    /// The limit that leaves least, with its name; `None` if there is no limit.
    pub fn tightest(&self) -> Option<(&'static str, Limit)> {
        [("RLIMIT_DATA", self.data), ("RLIMIT_AS", self.address_space)]
            .into_iter()
            .filter_map(|(name, limit)| Some((name, limit?)))
            .min_by_key(|(_, limit)| limit.left_bytes)
    }
}

impl Limit {
    /// A limit of which so much is used. What is left counts in whole pages, as the kernel does.
    pub fn new(limit_bytes: u64, used_bytes: u64) -> Self {
        let page = page_size_bytes();
        Self {
            limit_bytes,
            used_bytes,
            left_bytes: limit_bytes.saturating_sub(used_bytes) / page * page,
        }
    }
}

impl Counted {
    /// As the kernel counts it now.
    fn of(process: &Process) -> Result<Self, ProcessError> {
        let status = Status::parse(process.whole("status")?);
        let field = |name| {
            // Without memory of its own a process has no such line.
            let bytes = status.bytes(name);
            bytes.ok_or_else(|| process.without_memory("status"))
        };
        Ok(Self { data_bytes: field("VmData")?, address_space_bytes: field("VmSize")? })
    }
}

#[cfg(test)]
mod tests;
