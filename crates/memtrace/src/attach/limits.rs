//! How many descriptors this process may have.
//!
//! # Safety
//! Both calls are given a structure on the stack, which they read or write as a whole.
#![allow(unsafe_code)]

use std::io;

/// The soft and the hard limit.
pub(super) fn descriptors() -> (u64, u64) {
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: writes one rlimit; cannot fail for this resource.
    unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit) };
    (limit.rlim_cur, limit.rlim_max)
}

/// Raises the soft limit to the hard one.
pub(super) fn raise_descriptors(hard: u64) -> io::Result<()> {
    let limit = libc::rlimit {
        rlim_cur: hard,
        rlim_max: hard,
    };
    // SAFETY: reads one rlimit.
    match unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &limit) } {
        -1 => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}
