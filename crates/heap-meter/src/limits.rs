//! The limits on a process's memory that a growing break must not pass, and how near they are.
//!
//! `RLIMIT_AS` is held against all mappings. `RLIMIT_DATA` is held against the heap and the
//! program's own data and, since Linux 4.7, also against all private writable memory but stacks, so
//! that it refuses malloc's mmap as well. What else may refuse a break is not looked at: overcommit
//! (`vm.overcommit_memory` 2), locked memory (`mlockall` with `MCL_FUTURE`). Neither is a kernel
//! that was booted with `ignore_rlimit_data`, which applies the first half of `RLIMIT_DATA` only.
//!
//! Both files may be read by anybody; prlimit(2) would want the same user, or CAP_SYS_RESOURCE.
//!
//! # References
//! proc_pid_limits(5), proc_pid_status(5), setrlimit(2); Linux 6.18: `SYSCALL_DEFINE1(brk)` in
//! `mm/mmap.c`, `check_data_rlimit` in `include/linux/mm.h` (heap and program data against
//! `RLIMIT_DATA`), `may_expand_vm` in `mm/mmap.c` (`total_vm`, shown as `VmSize`, and `data_vm`,
//! shown as `VmData`), `is_data_mapping`

use serde::Serialize;

use crate::environment::page_size_bytes;
use crate::process::{Process, ProcessError};
use crate::snapshot::fields;

/// Both limits that a growth of the break is held against.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Limits {
    /// `RLIMIT_DATA` (`ulimit -d`, `LimitDATA=`).
    pub data: Limit,
    /// `RLIMIT_AS` (`ulimit -v`, `LimitAS=`).
    pub address_space: Limit,
}

/// A limit and what counts towards it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Limit {
    /// The soft limit, the one that holds; `None` for no limit.
    pub limit_bytes: Option<u64>,
    /// What counts towards it now.
    pub used_bytes: u64,
    /// The greatest growth that it would still allow, in whole pages; `None` for no limit. For the
    /// data limit of a [`BreakState`](crate::address_space::BreakState) that of the break, which may
    /// be less than that of a mapping.
    pub left_bytes: Option<u64>,
}

impl Limits {
    /// The limits of a process.
    ///
    /// # Errors
    ///
    /// The process has ended, or has no memory of its own (a kernel thread, a zombie).
    pub fn of(process: &Process) -> Result<Self, ProcessError> {
        // Bytes: the name of the program in status may be any.
        let (limits, status) = (process.whole("limits")?, process.whole("status")?);
        let limit = |name, used| {
            let limit_bytes = soft_limit(&limits, name)
                .ok_or_else(|| process.malformed("limits", "a limit is missing"))?;
            // Without memory of its own a process has no such line.
            let used_bytes = fields::bytes(&status, used)
                .ok_or_else(|| process.explain("status", nix::errno::Errno::ESRCH.into()))?;
            Ok(Limit::new(limit_bytes, used_bytes))
        };
        Ok(Self {
            data: limit("Max data size", b"VmData:")?,
            address_space: limit("Max address space", b"VmSize:")?,
        })
    }

    /// The same with what the data limit leaves to the break alone: heap and program data, which may
    /// be read-only by now, must not pass it either.
    pub(crate) fn at_break(mut self, segment_bytes: u64, program_data_bytes: u64) -> Self {
        let counted_bytes = segment_bytes.saturating_add(program_data_bytes);
        let for_break = Limit::new(self.data.limit_bytes, counted_bytes);
        self.data.left_bytes = self.data.left_bytes.min(for_break.left_bytes);
        self
    }

    /// The limit that would refuse a growth by so many bytes, with its name; the tighter one if
    /// both would.
    #[must_use]
    pub fn refused_by(&self, growth_bytes: u64) -> Option<(&'static str, Limit)> {
        self.tightest()
            .filter(|(_, limit)| limit.left_bytes.is_some_and(|left| left < growth_bytes))
    }

    /// The limit that leaves least, with its name; `None` if there is no limit.
    #[must_use]
    pub fn tightest(&self) -> Option<(&'static str, Limit)> {
        [
            ("RLIMIT_DATA", self.data),
            ("RLIMIT_AS", self.address_space),
        ]
        .into_iter()
        .filter(|(_, limit)| limit.left_bytes.is_some())
        .min_by_key(|(_, limit)| limit.left_bytes)
    }
}

impl Limit {
    /// The kernel counts whole pages.
    fn new(limit_bytes: Option<u64>, used_bytes: u64) -> Self {
        let page = page_size_bytes();
        let left = |limit: u64| limit.saturating_sub(used_bytes) / page * page;
        Self {
            limit_bytes,
            used_bytes,
            left_bytes: limit_bytes.map(left),
        }
    }
}

/// The soft limit of this name, `Some(None)` for `unlimited`; `None` if the table doesn't have it.
fn soft_limit(limits: &[u8], name: &str) -> Option<Option<u64>> {
    let row = limits
        .split(|byte| *byte == b'\n')
        .find_map(|line| line.strip_prefix(name.as_bytes()))?;
    let row = std::str::from_utf8(row).ok()?;
    // Another limit's name may start with this one.
    let mut words = row.strip_prefix(' ')?.split_ascii_whitespace();
    match words.next()? {
        "unlimited" => Some(None),
        bytes => bytes.parse().ok().map(Some),
    }
}

#[cfg(test)]
mod tests;
