//! Whether a process uses io_uring, which opens and closes files without a system call.
//!
//! # References
//! io_uring_setup(2), “application … mmap(2) … `IORING_OFF_SQES`”

use std::fmt;

use human_text::counted;
use memory_event::{Call, Syscall};
#[cfg(feature = "attach")]
use proc_memory::AddressSpace;

const NAME: &str = "anon_inode:[io_uring]";
/// `IORING_OFF_SQES`: where a ring's descriptor has its requests. They are mapped once.
const REQUESTS: u64 = 0x1000_0000;

/// Whether a call that has just come back maps a ring's requests.
pub(crate) fn maps_one(pid: i32, call: &Call) -> bool {
    let [.., fd, offset] = call.args;
    call.syscall == Syscall::Mmap
        && offset == REQUESTS
        && call.result.is_ok()
        && std::fs::read_link(format!("/proc/{pid}/fd/{}", fd as i32))
            .is_ok_and(|link| link.as_os_str() == NAME)
}

/// How many rings a process has mapped, as far as its mappings can be read.
#[cfg(feature = "attach")]
pub(crate) fn mapped(pid: i32) -> u64 {
    let space = AddressSpace::of(pid);
    let all = space.iter().flat_map(AddressSpace::mappings);
    let is_one = |name: &[u8], offset| name == NAME.as_bytes() && offset == REQUESTS;
    all.filter(|mapping| is_one(&mapping.name, mapping.offset)).count() as u64
}

/// Says that these are there, and what isn't told.
pub(crate) fn write_untold(f: &mut fmt::Formatter<'_>, rings: u64, first_pid: i32) -> fmt::Result {
    let rings = counted(rings, "ring", "rings");
    write!(
        f,
        "io_uring was set up ({rings}, first by process {first_pid}): files that it opens or closes \
         are not seen"
    )
}
