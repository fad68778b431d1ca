//! Has a stopped thread map the page, and looks whether it did.

use super::call::{Caller, mappings};
use proc_memory::Mapping;

use super::{RemoteError, RemoteHole};
use crate::program_break::page_size;

pub(super) fn punch(tid: i32) -> Result<RemoteHole, RemoteError> {
    let before = mappings(tid)?;
    let caller = Caller::take(tid, &before)?;
    let result = map(&caller);
    let released = caller.release();
    let hole = result?;
    released?;
    // The name is left out: the kernel may call a mapping `[heap]` for where the break is next to it.
    let is_same = |one: &Mapping, other: &Mapping| {
        (one.start, one.end, one.permissions) == (other.start, other.end, other.permissions)
    };
    let changed = |mapping: &&Mapping| !before.iter().any(|one| is_same(one, mapping));
    let after = mappings(tid)?;
    let mut new = after.iter().filter(changed);
    let is_the_page = |mapping: &Mapping| {
        (mapping.start..mapping.end) == hole.range && mapping.permissions.to_string() == "r--p"
    };
    match (new.next(), new.next()) {
        (Some(page), None) if is_the_page(page) && after.len() == before.len() + 1 => Ok(hole),
        (unexpected, _) => Err(RemoteError::Unverified {
            wanted: hole.range,
            found: unexpected.map(|mapping| mapping.start..mapping.end),
        }),
    }
}

fn map(caller: &Caller) -> Result<RemoteHole, RemoteError> {
    // The kernel refuses a break of 0 and answers with the present one.
    let program_break = caller.call(libc::SYS_brk, [0; 6])?;
    let page = page_size() as u64;
    let start = program_break.next_multiple_of(page);
    let range = start..start + page;
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_FIXED_NOREPLACE;
    let mapped = caller.call(
        libc::SYS_mmap,
        [
            start,
            page,
            libc::PROT_READ as u64,
            flags as u64,
            // No file: −1.
            u64::MAX,
            0,
        ],
    )?;
    match tracee::syscall_result(mapped) {
        Ok(_) if mapped == start => Ok(RemoteHole { program_break, range }),
        Ok(_) => {
            // Taken for a hint: whatever this answers, there is nothing else to be tried.
            caller.call(libc::SYS_munmap, [mapped, page, 0, 0, 0, 0])?;
            Err(RemoteError::Kernel)
        }
        Err(libc::EEXIST) => Err(RemoteError::Taken { range }),
        Err(errno) => {
            Err(RemoteError::Refused { range, source: std::io::Error::from_raw_os_error(errno) })
        }
    }
}
