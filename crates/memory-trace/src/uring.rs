//! Whether a process uses io_uring, which opens and closes files without a system call.
//!
//! # References
//! io_uring_setup(2), “application … mmap(2) … `IORING_OFF_SQES`”

use memory_event::{Call, Syscall};

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

/// How many rings a process has mapped.
#[cfg(feature = "attach")]
pub(crate) fn mapped(pid: i32) -> u64 {
    let maps = std::fs::read_to_string(format!("/proc/{pid}/maps")).unwrap_or_default();
    let of_requests = format!(" {REQUESTS:08x} ");
    let rings = maps.lines().filter(|line| line.ends_with(NAME) && line.contains(&of_requests));
    rings.count() as u64
}
